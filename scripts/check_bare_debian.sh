#!/usr/bin/env bash
# What a newcomer's first minutes cost: `make demo` and `make test` of this commit in a Debian that
# has nothing but a base system, make and git. Needs root, debootstrap and the package archive.
#
#     scripts/check_bare_debian.sh [--suite bookworm] [--keep FOLDER] [--output FILE.md]
#
# Times `make demo` (packages, programs, training), `make test` (building the tests included) and
# `make test` again (nothing to build); fails if one fails. Writes
# docs/benchmarks/bare_debian.md.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm output=docs/benchmarks/bare_debian.md folder=''
command_line="scripts/check_bare_debian.sh $*"
fail() { echo "check_bare_debian.sh: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
        --suite|--output) [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        --keep) [ $# -ge 2 ] || fail "$1: a folder is missing"; folder=$2; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || fail "debootstrap: not found; apt-get install debootstrap"

keep=$folder
[ -n "$folder" ] || folder=$(mktemp -d)
unmount() {
    for mount in dev/pts dev proc; do
        ! mountpoint -q "$folder/$mount" || umount "$folder/$mount"
    done
}
clean_up() {
    unmount
    # Never through a mount that would not go away.
    [ -n "$keep" ] || rm -rf --one-file-system "$folder"
}
trap clean_up EXIT

echo "== a base system in $folder" >&2
debootstrap --variant=minbase --include=make,git,ca-certificates "$suite" "$folder" >&2
mount -t proc proc "$folder/proc"
mount --bind /dev "$folder/dev"
mount --bind /dev/pts "$folder/dev/pts"
cp /etc/resolv.conf "$folder/etc/resolv.conf"
git clone -q . "$folder/root/fettle"

# in_debian NAME COMMAND: runs it in the clone; its output in NAME.log, its seconds in $seconds
in_debian() {
    local begin status=0
    echo "== $2" >&2
    begin=$(date +%s)
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        chroot "$folder" sh -c "cd /root/fettle && $2" >"$folder/root/$1.log" 2>&1 </dev/null || status=$?
    seconds=$(($(date +%s) - begin))
    [ $status -eq 0 ] || { tail -n 40 "$folder/root/$1.log" >&2; fail "$2: exit $status"; }
    tail -n 3 "$folder/root/$1.log" >&2
}
packages() { chroot "$folder" dpkg-query -W | wc -l; }

before=$(packages)
in_debian demo 'make demo'; demo=$seconds
added=$(($(packages) - before))
in_debian test 'make test'; test=$seconds
in_debian again 'make test'; again=$seconds

log=$folder/root/demo.log
training=$(sed -n 's/^\([0-9]* steps in [0-9:]*\);.*/\1/p' "$log")
cat >"$output.new" <<MARKDOWN
# The first minutes on a bare machine

Debian $(cat "$folder/etc/debian_version") as debootstrap's minbase leaves it, with make, git and
ca-certificates; no compiler, no GPU, no nvcc. Every command in a fresh clone, one after the other.

| command | seconds | contains |
|---|---|---|
| \`make demo\` | $demo | $added packages, the programs, the demo (its training: $training) |
| \`make test\` | $test | building and running the tests |
| \`make test\` again | $again | nothing to build |

- Machine: $(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)
  at the end.
- Fettle at $(git rev-parse --short HEAD). Command: \`$command_line\`

The end of the first:

\`\`\`
$(tail -n 45 "$log")
\`\`\`

The end of the last:

\`\`\`
$(tail -n 6 "$folder/root/again.log")
\`\`\`
MARKDOWN
mv "$output.new" "$output"
echo "written: $output" >&2
