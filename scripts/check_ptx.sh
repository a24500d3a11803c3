#!/usr/bin/env bash
# What nvcc made of every kernel, without a GPU: fails on spills, a stack, local memory or wgmma
# instructions that ptxas made wait for each other, and writes down the rest.
#
#     scripts/check_ptx.sh [--build build/release] [--bin bin] [--output docs/kernels/resources.md]
#
# Reads the objects of a build with nvcc (make), and asks bin/bench what kernels are launched with.
# cuobjdump and nvdisasm are taken from $PATH, or from PyPI (nvidia-cuda-cuobjdump,
# nvidia-cuda-nvdisasm) into build/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/release bin=bin output=docs/kernels/resources.md

fail() { echo "check_ptx.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
        --build|--bin|--output)
            [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done
mapfile -t objects < <(find "$build/kernels" -name '*.cuda.o' ! -name '*_runtime.cuda.o' 2>/dev/null | sort)
[ ${#objects[@]} -gt 0 ] || fail "$build: no *.cuda.o; run make where nvcc is installed"
[ -x "$bin/bench" ] || fail "$bin/bench: not found; make builds it"
for object in "${objects[@]}"; do
    [ -f "$object.log" ] || fail "$object.log: not found, expected nvcc's warnings; make $object anew"
done

tools=build/tools
PATH=$PATH:$PWD/$tools
if ! command -v cuobjdump >/dev/null || ! command -v nvdisasm >/dev/null; then
    mkdir -p $tools
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    python3 -m pip download -q --no-deps -d "$wheels" nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm ||
        fail "cuobjdump: not found, and pip cannot fetch nvidia-cuda-cuobjdump"
    for wheel in "$wheels"/*.whl; do python3 -m zipfile -e "$wheel" "$wheels"; done
    find "$wheels" -type f \( -name cuobjdump -o -name nvdisasm \) -exec install -m 755 -t $tools {} +
fi

# One line a kernel and architecture: object, architecture, registers, stack, static shared, local,
# then counts of the instructions that matter, and the name.
kernels() {
    local object
    for object in "${objects[@]}"; do
        { cuobjdump -res-usage "$object"; cuobjdump -sass "$object"; } 2>&1 |
            awk -v object="${object#"$build"/}" '
            /^Resource usage/ { next }
            /^arch = / { arch = $3; next }
            /^ *Function [^:]*:$/ && !/Function :/ { name = $2; sub(/:$/, "", name); next }
            /REG:[0-9]/ {
                for (i = 1; i <= NF; ++i) {
                    split($i, field, ":")
                    usage[arch, name, field[1]] = field[2]
                }
                next
            }
            /Function : / { name = $3; key[++n] = arch SUBSEP name; next }
            /^\t*code for / { arch = $3; next }
            /\/\*[0-9a-f][0-9a-f][0-9a-f][0-9a-f]+\*\// {
                instruction = $2 ~ /^@/ ? $3 : $2
                if (instruction ~ /^LDG/) ++count[arch, name, "ldg"]
                if (instruction ~ /^LDG.*\.128/) ++count[arch, name, "ldg128"]
                if (instruction ~ /^STG/) ++count[arch, name, "stg"]
                if (instruction ~ /^STG.*\.128/) ++count[arch, name, "stg128"]
                if (instruction ~ /^HMMA/) ++count[arch, name, "hmma"]
                if (instruction ~ /^HGMMA/) ++count[arch, name, "hgmma"]
                if (instruction ~ /^(LDL|STL)/) ++count[arch, name, "local"]
            }
            END {
                for (k = 1; k <= n; ++k) {
                    split(key[k], part, SUBSEP)
                    a = part[1]; f = part[2]
                    printf "%s %s %d %d %d %d %d %d %d %d %d %d %d %s\n", object, a,
                        usage[a, f, "REG"], usage[a, f, "STACK"], usage[a, f, "SHARED"],
                        usage[a, f, "LOCAL"], count[a, f, "local"], count[a, f, "ldg128"],
                        count[a, f, "ldg"], count[a, f, "stg128"], count[a, f, "stg"],
                        count[a, f, "hmma"], count[a, f, "hgmma"], f
                }
            }'
    done
}
plain_names() {
    c++filt | sed -E 's/ (void )?on_(cuda|simt)::\(anonymous namespace\)::/ /; s/\(.*$//' | sort -u
}
# What no chip runs is left out: forms for sm_90, compiled for sm_80.
list=$(kernels | plain_names | awk '!($1 ~ /_sm90\.cuda\.o$/ && $2 == "sm_80")')
launches=$("$bin/bench" --device simt --launches | plain_names)
[ -n "$list" ] || fail "no kernels in ${#objects[@]} objects"

bad=$(awk '$4 > 0 || $6 > 0 || $7 > 0 {
    name = ""; for (i = 14; i <= NF; ++i) name = name $i
    printf "%s on %s: %d bytes of stack, %d of local memory, %d accesses to it\n", name, $2, $4, $6, $7
}' <<<"$list")
bad+=$(find "$build" -name '*.cuda.o.log' -exec grep -lE 'serialized|setmaxnreg.*ignored' {} + || true)

# Rows of the table, from the launches and then the list. An SM holds as many blocks as fit into its
# warps, its registers (whole warps in each of four parts, in units of 256) and its shared memory
# (units of 128 bytes, and 1 KiB a block that the system keeps, which the objects of sm_90a count).
rows() {
    awk '
    function name_from(first,    i, name) {
        name = $first; for (i = first + 1; i <= NF; ++i) name = name " " $i
        return name
    }
    function up(value, unit) { return int((value + unit - 1) / unit) * unit }
    function limit(blocks, by) { if (blocks < most) { most = blocks; bound = by } }
    FNR == NR {
        name = name_from(3)
        if (!(name in threads) || $2 > dynamic[name]) { threads[name] = $1; dynamic[name] = $2 }
        next
    }
    {
        name = name_from(14)
        fixed = $2 == "sm_90a" && $5 > 0 ? $5 - 1024 : $5
        launched = "| | " fixed " | | | "
        if (name in threads) {
            warps = up(threads[name], 32) / 32
            shared = fixed + dynamic[name]
            most = 32; bound = "blocks"
            limit(int(64 / warps), "warps")
            limit(int(4 * int(65536 / 4 / up($3 * 32, 256)) / warps), "registers")
            limit(int(($2 == "sm_80" ? 164 : 228) * 1024 / up(shared + 1024, 128)), "shared memory")
            launched = sprintf("| %d | %d | %d | %d | %s ", threads[name], shared, most, most * warps, bound)
        }
        printf "| `%s` | %s | %d %s| %d/%d | %d/%d | %d | %d |\n", name, $2, $3, launched, $8, $9,
            $10, $11, $12, $13
    }' <(echo "$launches") <(echo "$list")
}

mkdir -p "$(dirname "$output")"
{
    echo "# What nvcc makes of the kernels"
    echo
    echo "Written by \`scripts/check_ptx.sh\`: nothing here ran. Registers and instructions are those of the"
    echo "objects of a build. Threads of a block and its shared memory, in bytes, are those of the launches"
    echo "at the sizes of \`bin/bench\` (GPT-2 124M, 4,096 tokens; attention also with heads of 128 and 256);"
    echo "where the fields are empty it does not launch the kernel. Blocks and warps are those that an SM"
    echo "holds, and by what they are bound: 64 warps, 32 blocks, 65,536 registers, and 164 KiB (sm_80) or"
    echo "228 KiB (sm_90a) of shared memory, of which a block takes 1 KiB more than its own (CUDA C++"
    echo "Programming Guide, \"Compute Capabilities\"; units of allocation from the toolkit's"
    echo "\`cuda_occupancy.h\`). Loads and stores are instructions to global memory, those of 128 bits and all"
    echo "of them; HMMA and HGMMA are the tensor cores'. No kernel has a stack or uses local memory: the"
    echo "script fails otherwise."
    echo
    echo "| kernel | chip | registers | threads | shared | blocks | warps | bound by | loads, 128 bits of all | stores | HMMA | HGMMA |"
    echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
    rows
    echo
    echo "- $("${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}" --version | sed -n 's/.*release \([0-9.]*\), \(V[0-9.]*\)/nvcc \1, \2/p'); Fettle at $(git rev-parse --short HEAD)."
} > "$output.partial"
mv "$output.partial" "$output"
echo "$(wc -l <<<"$list") kernels of ${#objects[@]} files: $output"
[ -z "$bad" ] || { printf '%s\n' "$bad" >&2; exit 1; }
