#!/usr/bin/env bash
# Are the tests of the kernels awake? Plants one fault at a time in the emulated kernels and runs
# the tests of their folder, fast build first, then the check build. Prints the faults that no test
# noticed and exits 1 unless 97 % were noticed.
#
#     scripts/mutate_kernels.sh [--only FOLDER] [--jobs N] [--output FILE]
#
# Faults: a synchronisation left out; a comparison's bound moved by one, both ways; a comparison
# dropped (not those of loops, which would never end). tests/support/mutant.h has the details.
set -euo pipefail
cd "$(dirname "$0")/.."
only='' jobs=$(nproc) output=build/mutants.txt

fail() { echo "mutate_kernels.sh: $*" >&2; exit 2; }

# The mutated copy of file $1, whose sites are numbered from $2, to $3; a line a mutant to $4.
mutate() {
    awk -v file="$1" -v site="$2" -v copy="$3" -v table="$4" '
    BEGIN {
        name["<"] = "less"; name["<="] = "less_equal"; name[">"] = "greater"
        name[">="] = "greater_equal"
        print "#include \"tests/support/mutant.h\"" > copy
        printf "#line 1 \"%s\"\n", file > copy
    }
    function mutant(number, what) { print number, file ":" NR, what >> table }
    /__device__|__global__/ { in_kernel = 1 }  # host code launches kernels, it is none
    /^}/ { in_kernel = 0 }
    !in_kernel || /^ *\/\// || /constexpr|static_assert|^ *template|^#|ENSURE/ { print > copy; next }
    {
        gsub(/ FETTLE_SIMD_LOOP$/, "")  # asks for a comparison of the language in the next line
        rest = $0
        comment = ""
        if (match(rest, / \/\/ /)) { comment = substr(rest, RSTART); rest = substr(rest, 1, RSTART - 1) }
        text = ""
        in_loop = rest ~ /^ *(for|while) ?\(/ || loop_goes_on
        loop_goes_on = in_loop && rest !~ /[{;]$|\)$/
        while (match(rest, / (<|<=|>|>=)( |$)/)) {
            operator = substr(rest, RSTART + 1, RLENGTH - 1)
            sub(/ $/, "", operator)
            mutant(4 * site, operator " moved by one")
            mutant(4 * site + 1, operator " moved by one the other way")
            if (!in_loop) mutant(4 * site + 2, operator " dropped")
            text = text substr(rest, 1, RSTART) "<mutant::" name[operator] "{" site "}>"
            rest = substr(rest, RSTART + 1 + length(operator))
            ++site
        }
        rest = text rest
        if (match(rest, /(__syncthreads|__syncwarp|wait_for_(all_)?copies|commit_copies|fence_[a-z_]*)(<[0-9]+>)?\(/) &&
            rest ~ /;$/) {
            mutant(4 * site, substr(rest, RSTART, RLENGTH) ") left out")
            rest = substr(rest, 1, RSTART - 1) "if (mutant::is_synced(" site ")) " substr(rest, RSTART)
            ++site
        }
        print rest comment > copy
    }
    END { print site }' "$1"
}

# Mutated copies of all kernels to $1, the list of mutants to $1/mutants.txt.
generate() {
    local to=$1 site=0 file
    rm -rf "$to"
    mkdir -p "$to"
    : >"$to/mutants.txt"
    while read -r file; do
        mkdir -p "$to/$(dirname "$file")"
        site=$(mutate "$file" "$site" "$to/$file" "$to/mutants.txt")
    done < <(find kernels -name '*.cu' ! -name '*_runtime.cu' -o -name '*.cuh' ! -name cuda_check.cuh | sort)
}

# The exit status of build $1's tests of folder $2 with mutant $3, within $4 seconds.
run_mutant() {
    local exclude=()
    [ "$1" = release-nocuda ] || exclude=("$(sed -n "s/^checked='\(.*\)'$/\1/p" scripts/test.sh)")
    FETTLE_MUTANT=$3 OMP_NUM_THREADS=1 timeout -k 1 "$4" "build/$1/test_mutants" --device simt \
        -sf="*tests/kernels/$2/*" -aa=1 "${exclude[@]}" >/dev/null 2>&1
}

# The tests of a file's folder; the collectives of core are tested by their users.
tests_of() { [ "$1" = core ] && echo '*' || echo "$1"; }

# Seconds that build $1's tests of folder $2 may take: many times what they take without a fault,
# which they must pass.
limit_of() {
    local begin=$SECONDS
    run_mutant "$1" "$(tests_of "$2")" -1 3600 ||
        fail "$1: the tests of $2 fail without a mutant; run build/$1/test_mutants --device simt"
    echo $(((SECONDS - begin) * 8 + 20))
}

# A line of the list to a line of results. "hung": beyond the limit; a loop that never ends.
judge() {
    local number=$1 place=$2 what=$3 folder fate=survived build status
    folder=$(cut -d/ -f2 <<<"$place")
    for build in release-nocuda check-nocuda; do
        [ $fate = survived ] || break
        status=0
        run_mutant $build "$(tests_of "$folder")" "$number" "$(<"$limits/$folder.$build")" ||
            status=$?
        case $status in
            0) ;;
            77) fate=no_fault ;;
            124 | 137) fate=hung ;;
            *) fate=killed ;;
        esac
    done
    echo "$fate $place $what"
}

if [ "${1:-}" = --generate ]; then
    generate "$2"
    exit
fi
while [ $# -gt 0 ]; do
    case $1 in
        --only|--jobs|--output)
            [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done

make CUDA=0 build/release-nocuda/test_mutants
make CUDA=0 CONFIG=check build/check-nocuda/test_mutants
limits=$(mktemp -d)
list=$limits/list
export limits
export -f run_mutant tests_of judge
trap 'rm -rf "$limits"' EXIT
grep -E " kernels/($only)" build/release-nocuda/mutated/mutants.txt >"$list" ||
    fail "--only $only: no kernel of such a folder"
for folder in $(cut -d' ' -f2 "$list" | cut -d/ -f2 | sort -u); do
    for build in release-nocuda check-nocuda; do
        limit=$(limit_of $build "$folder") || exit 2
        echo "$limit" >"$limits/$folder.$build"
    done
done
start=$SECONDS
sed -E 's/^([0-9]+) ([^ ]+) (.*)/\1\n\2\n\3/' "$list" |
    xargs -d '\n' -n 3 -P "$jobs" bash -c 'judge "$@"' judge |
    awk -v all="$(wc -l <"$list")" '
        { print; fflush() }
        { printf "\r%d of %d", NR, all > "/dev/stderr" }
        END { print "" > "/dev/stderr" }' >"$output"
fate() { grep -c "^$1" "$output" || true; }
grep -E '^(survived|hung)' "$output" | sort -V || true
awk -v killed="$(fate killed)" -v hung="$(fate hung)" -v survived="$(fate survived)" \
    -v no_fault="$(fate no_fault)" -v seconds=$((SECONDS - start)) 'BEGIN {
    noticed = killed + hung
    printf "%d of %d mutants noticed, %.1f %%, %d of them by a time limit; %d are no faults; %d s\n",
           noticed, noticed + survived, 100 * noticed / (noticed + survived), hung, no_fault, seconds
    exit noticed < 0.97 * (noticed + survived)
}'
