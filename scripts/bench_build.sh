#!/usr/bin/env bash
# How long a clean build takes, and the tests once built.
#
#     scripts/bench_build.sh [--jobs 2] [--output FILE.md]
#
# Clones the committed tree into $TMPDIR, else /var/tmp; builds programs and tests there, without a
# compiler cache, timing every command that make runs; then runs `make test`, and what `make
# test-all` adds on the emulator. Writes docs/benchmarks/build.md. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=2 output=docs/benchmarks/build.md

fail() { echo "bench_build.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        --jobs|--output)
            [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done
[ -x /usr/bin/time ] || fail "/usr/bin/time is missing (Debian: apt install time)"

work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
git clone -q . "$work/fettle"
commit=$(git rev-parse --short HEAD)
cat >"$work/shell" <<SHELL
#!/bin/sh
exec /usr/bin/time -a -o "$work/commands.txt" -f '%e %M %C' /bin/sh "\$@"
SHELL
chmod +x "$work/shell"
load=$(cut -d' ' -f1 /proc/loadavg)

seconds() {  # COMMAND...: how long it takes; what it says goes to $work/log
    local begin=$SECONDS
    (cd "$work/fettle" && "$@") >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "$* failed"; }
    echo $((SECONDS - begin))
}
make -s -C "$work/fettle" build/packages.ok >/dev/null
build=$(CCACHE_DISABLE=1 seconds make -j"$jobs" SHELL="$work/shell" all tests)
# The longest and the largest: seconds, KiB, the object that they made.
heaviest() {
    grep -oE '^[0-9.]+ [0-9]+ .* -o [^ ]+\.o' "$work/commands.txt" | awk '{ print $1, $2, $NF }' |
        sort -k "$1,$1gr" | head -n 1
}
read -r longest _ longest_name <<<"$(heaviest 1)"
read -r _ largest largest_name <<<"$(heaviest 2)"
units=$(grep -cE '^[0-9.]+ [0-9]+ .* -o [^ ]+\.o' "$work/commands.txt")
quick=$(seconds make test)
quick_counts=$(tail -n 1 "$work/log")
seconds make -j"$jobs" CONFIG=check CUDA=0 build/check-nocuda/test_kernels >/dev/null
has_nvcc=$(grep -c FETTLE_WITH_CUDA=1 "$work/fettle/build/release/flags.txt" 2>/dev/null || true)
[ "$has_nvcc" != 1 ] || seconds make -j"$jobs" ptx >/dev/null
folder=$(dirname "$(ls "$work"/fettle/build/release*/test_host)")
emulated=$(seconds scripts/test.sh emulated "build/$(basename "$folder")" bin)
emulated_log=$(cat "$work/log")

cat >"$output" <<MD
# Build and tests

A fresh clone, $jobs jobs, no compiler cache$([ "$has_nvcc" = 1 ] && echo "; nvcc compiles every kernel for sm_80 and sm_90a").

| what | command | seconds |
|---|---|---|
| clean build of programs and tests | \`make -j$jobs all tests\` | $build |
| the unit that takes longest | \`$(basename "$longest_name" .o)\`, of $units | $longest |
| tests, nothing to build | \`make test\`: $quick_counts | $quick |
| what \`make test-all\` adds on the emulator | \`scripts/test.sh emulated\` | $emulated |

The unit that takes most memory is \`$(basename "$largest_name" .o)\`: $((largest / 1024)) MiB. The last row in parts, which run beside each other:

\`\`\`
$emulated_log
\`\`\`

- Machine: $(grep -m 1 'model name' /proc/cpuinfo | sed 's/.*: //'), $(nproc) cores; load average $load before.
- Fettle at $commit, $(date +%F). Command: \`scripts/bench_build.sh --jobs $jobs\`.
MD
cat "$output"
