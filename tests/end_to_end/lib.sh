# What every end-to-end script shares: `. lib.sh` after the script's name and arguments are known.
#   usage of each script: NAME.sh BIN_FOLDER
# Works in a fresh folder that is removed at the end; in memory where the machine allows it, for a
# disk may need a third of a second to sync each of the thousand files that the scripts write.
set -uo pipefail
export LC_ALL=C
# Threads that spin while they wait starve one another on a machine that is busy with other work.
export OMP_WAIT_POLICY=passive
unset NO_COLOR HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME

[ $# -ge 1 ] && [ -d "$1" ] || { echo "usage: $0 BIN_FOLDER" >&2; exit 2; }
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
[ -d /dev/shm ] && [ -w /dev/shm ] && [ -z "${TMPDIR:-}" ] && TMPDIR=/dev/shm
work=$(mktemp -d "${TMPDIR:-/tmp}/fettle_end_to_end.XXXXXX")
mounts=()
clean_up() {
    local mount
    cd /
    for mount in ${mounts[@]+"${mounts[@]}"}; do umount "$mount" 2>/dev/null; done
    rm -rf "$work" "$work.took"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work" || exit 2

passed=0 failed=0
ok() { echo "ok - $1"; passed=$((passed + 1)); }
not_ok() {  # not_ok NAME [EXPLANATION]
    echo "not ok - $1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/    /'
    failed=$((failed + 1))
}
skip() { echo "skipped - $1"; }

# check NAME COMMAND...: the case passes if the command exits with 0; what it prints explains why
# it did not.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "${output:-$*}"; fi
}
finish() {
    [ "$slowest" -eq 0 ] || echo "# the slowest refusal took $slowest ms of CPU time: $slowest_name"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

# Every file with its size and time, every folder by its name. What `hostile` wrote is looked at once
# more at the end.
snapshot() {
    find . -path ./hostile -prune -o -type d -printf '%p\n' -o -printf '%p %s %T@\n' | sort
}

# What a refusal may take: CPU time, for the clock of a busy machine says little, and memory that
# the process may write to, however little of it is touched. A sanitizer takes more of both.
max_milliseconds=1000 max_kilobytes=$((1 << 20))
if grep -q __asan_init "$bin/export" 2>/dev/null; then
    max_milliseconds=20000 max_kilobytes=unlimited
fi
slowest=0 slowest_name=
took=$work.took

# within_limits COMMAND...: its stdout and stderr together; its CPU seconds go to $took.
within_limits() (
    ulimit -d "$max_kilobytes"
    ulimit -t 60
    TIMEFORMAT='%U %S'
    { time "$@" 2>&1 </dev/null; } 2>"$took"
)

# refused NAME 'TEXT|TEXT' COMMAND...: exit code 2 and one line that holds each of the texts; no
# file is made or changed.
refused() {
    local name=$1 texts=$2 before after message status problem= text user system milliseconds
    shift 2
    before=$(snapshot)
    for _ in 1 2 3; do  # other machines' work on the same cores can triple the time
        message=$(within_limits "$@")
        status=$?
        read -r user system <"$took"
        milliseconds=$((10#${user/./} + 10#${system/./}))
        [ "$milliseconds" -gt "$max_milliseconds" ] || break
    done
    if [ "$milliseconds" -gt "$slowest" ]; then slowest=$milliseconds slowest_name=$name; fi
    [ "$milliseconds" -le "$max_milliseconds" ] ||
        problem="$milliseconds ms of CPU time, expected at most $max_milliseconds"
    [ $status -eq 2 ] || problem="$problem
exit code $status, expected 2"
    [ ${#message} -le 3000 ] || problem="$problem
${#message} characters, expected at most 3000"
    [[ $message == *$'\n'* ]] && problem="$problem
$(wc -l <<<"$message") lines, expected one"
    local IFS='|'
    for text in $texts; do
        [[ $message == *"$text"* ]] || problem="$problem
no \"$text\" in the message"
    done
    after=$(snapshot)
    [ "$before" = "$after" ] || problem="$problem
files changed:
$(diff <(echo "$before") <(echo "$after") | head -5)"
    if [ -z "$problem" ]; then ok "$name"; else not_ok "$name" "${message:0:500}
$problem"; fi
    rm -rf out  # so that the next case finds none
}

# make_text FILE SEED PARAGRAPHS: words in an order that the seed decides, of a fixed vocabulary.
make_text() {
    awk -v seed="$2" -v paragraphs="$3" '
        function draw(n) {  # the high bits of a linear congruence
            seed = (seed * 1103515245 + 12345) % 2147483648
            return 1 + int(seed / 65536) % n
        }
        BEGIN {
            n = split("the a sea ship whale captain old white wave wind night day man men saw " \
                      "said went came long deep dark light water sky hand eye heart sail line", word)
            for (p = 0; p < paragraphs; ++p) {
                for (l = draw(4); l > 0; --l) {
                    line = word[draw(n)]
                    for (w = 2 + draw(9); w > 0; --w) line = line " " word[draw(n)]
                    print line "."
                }
                print ""
            }
        }' >"$1"
}

# A tiny language: text, more text, a tokenizer and the config of a model that fits it.
make_inputs() {
    make_text train.txt 7 100
    make_text eval.txt 8 12
    "$bin/tokenize" --train_bpe train.txt --vocab_size 300 --output_dir tokenizer 2>/dev/null ||
        { echo "cannot train a tokenizer" >&2; exit 1; }
    cat >config.json <<'JSON'
{"model_type": "gpt2", "activation_function": "gelu_new", "vocab_size": 300, "n_positions": 64,
 "n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": null, "layer_norm_epsilon": 1e-05,
 "initializer_range": 0.02, "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 0}
JSON
}
