#!/usr/bin/env bash
# A program that was built with CUDA starts on a machine without a driver, and --device says in one
# line, with exit code 2, what cannot be had.
#   tests/device_flag.sh PROGRAM     any program with --device, build/release/test_kernels say
set -euo pipefail
program=${1:?usage: tests/device_flag.sh PROGRAM}
failed=0

# expect ARGUMENTS PATTERN: exit code 2, one line on stderr that matches, nothing on stdout
expect() {
    local out err code=0
    err=$(mktemp)
    # shellcheck disable=SC2086
    out=$($program $1 2>"$err") || code=$?
    if [ $code -ne 2 ] || [ -n "$out" ] || [ "$(wc -l <"$err")" -ne 1 ] || ! grep -qE "$2" "$err"; then
        echo "device_flag: $program $1: exit code $code, stdout \"$out\", stderr \"$(cat "$err")\""
        echo "    expected exit code 2 and one line on stderr like: $2"
        failed=1
    fi
    rm -f "$err"
}

expect '--device gpu' '^--device: found "gpu", expected cpu, cuda or simt$'
if ! ls /dev/nvidia[0-9]* >/dev/null 2>&1; then
    expect '--device cuda' '^--device: cuda was asked for, but (no NVIDIA driver is installed|no GPU was found|CUDA is not compiled in)'
fi
[ $failed -eq 0 ] && echo "device_flag: $(basename "$program") names what --device cannot have"
exit $failed
