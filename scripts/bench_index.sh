#!/usr/bin/env bash
# How fast large training data becomes rows of tokens, and in how much memory.
#
#     scripts/bench_index.sh --tokenizer DIR [--text FILE.txt] [--megabytes 1000] [--rounds 3]
#                            [--threads 2] [--output FILE.md]
#
# Makes data of that size from the paragraphs of FILE (default: the demo's Shakespeare) in an order
# drawn at random: one long text, rows of text and rows of instructions as .jsonl. bin/train
# --dry_run reads each, for a model of one small layer; rounds alternate between the data, and each
# figure is the median over the rounds. Data lies in $TMPDIR, else in /var/tmp. Writes
# docs/benchmarks/index.md.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=3 threads=2 megabytes=1000 text=train/demo/shakespeare.txt tokenizer=''
output=docs/benchmarks/index.md

fail() { echo "bench_index.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        --rounds|--threads|--megabytes|--text|--tokenizer|--output)
            [ $# -ge 2 ] || fail "$1: a value is missing"
            declare "${1#--}=$2"; shift 2 ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done
[ -x bin/train ] || fail "bin/train: not built; run make"
[ -d "$tokenizer" ] || fail "--tokenizer '$tokenizer': expected a folder with a tokenizer"
[ -f "$text" ] || fail "--text '$text': expected a text file"
[ "$megabytes" -ge 100 ] || fail "--megabytes $megabytes: expected at least 100"

work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
cat > "$work/config.json" <<'JSON'
{"model_type": "gpt2", "vocab_size": 152064, "n_positions": 1024, "n_embd": 8, "n_layer": 1,
 "n_head": 1, "activation_function": "gelu_new", "tie_word_embeddings": true,
 "layer_norm_epsilon": 1e-05, "bos_token_id": 0, "eos_token_id": 0}
JSON

# make_data KIND FILE: paragraphs drawn by a linear congruence; rows hold about 500 bytes of them.
make_data() {
    awk -v RS= -v kind="$1" -v bytes=$((megabytes * 1000000)) '
        function escaped(s) {
            gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/\n/, "\\n", s)
            gsub(/[\001-\037]/, " ", s)
            return s
        }
        {
            while (length($0) > 1000) {  # between two words
                end = 500 + index(substr($0, 501), " ")
                if (end == 500) break
                paragraph[++n] = substr($0, 1, end - 1)
                $0 = substr($0, end + 1)
            }
            paragraph[++n] = $0
        }
        END {
            for (seed = 42; written < bytes; written += length(line) + 1) {
                row = ""
                do {
                    seed = (seed * 1103515245 + 12345) % 2147483648
                    row = row (row == "" ? "" : "\n\n") paragraph[1 + int(seed / 65536) % n]
                } while (length(row) < 500)
                if (kind == "text") line = row "\n"
                else if (kind == "rows") line = "{\"text\": \"" escaped(row) "\"}"
                else {
                    end = 100 + index(substr(row, 101), " ")
                    line = "{\"instruction\": \"" escaped(substr(row, 1, end - 1)) \
                        "\", \"input\": \"\", \"output\": \"" escaped(substr(row, end)) "\"}"
                }
                print line
            }
        }' "$text" > "$2"
}

kinds=(text rows instructions)
declare -A file=([text]=$work/text.txt [rows]=$work/rows.jsonl [instructions]=$work/alpaca.jsonl)
for kind in "${kinds[@]}"; do
    echo "making ${file[$kind]}" >&2
    LC_ALL=C make_data "$kind" "${file[$kind]}"
done

median() { sort -g "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
# Without another process, which would take time from the program: the value of a line of
# /proc/PID/status in MiB, and whether a file holds a text.
status_mib() {
    local key value rest
    mib=
    while read -r key value rest; do
        [ "$key" != "$2:" ] || mib=$((value / 1024))
    done 2>/dev/null < "/proc/$1/status"
}
has() {
    local line
    while read -r line; do
        [[ $line != *"$2"* ]] || return 0
    done < "$1"
    return 1
}

# measure KIND: a line each to $work/KIND.{speed,anonymous,peak}.
measure() {
    local kind=$1 pid anonymous=0 peak=0 mib
    : > "$work/log"
    bin/train --device cpu --threads "$threads" --init "$work/config.json" \
        --tokenizer "$tokenizer" --train_data "${file[$kind]}" --max_length 1024 \
        --per_device_train_batch_size 1 --dry_run --output_dir "$work/out" > "$work/log" 2>&1 &
    pid=$!
    while status_mib $pid RssAnon && [ -n "$mib" ] && ! has "$work/log" 'read in'; do
        [ "$mib" -le "$anonymous" ] || anonymous=$mib
        status_mib $pid VmHWM
        peak=${mib:-$peak}
        sleep 0.05
    done
    wait $pid || { cat "$work/log" >&2; exit 1; }
    sed -n 's/.* read in .* \([0-9]*\) MB\/s$/\1/p' "$work/log" >> "$work/$kind.speed"
    echo "$anonymous" >> "$work/$kind.anonymous"
    echo "$peak" >> "$work/$kind.peak"
    sed -n 's/^data: \([0-9,]* rows of [0-9,]* tokens\).*/\1/p' "$work/log" > "$work/$kind.rows"
    echo "$kind: $(tail -n 1 "$work/$kind.speed") MB/s, $anonymous MiB anonymous, $peak MiB peak" >&2
}
sync  # or writing the data would go on beside reading it
load_before=$(cut -d' ' -f1 /proc/loadavg)
for ((round = 1; round <= rounds; round++)); do
    for kind in "${kinds[@]}"; do measure "$kind"; done
done

row() {  # label, kind
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$(cat "$work/$2.rows")" \
        "$(median "$work/$2.speed")" "$(median "$work/$2.anonymous")" \
        "$(median "$work/$2.peak")" "$(paste -sd' ' "$work/$2.speed")"
}
table() {
    echo "| data | rows | MB/s | anonymous MiB | peak MiB | rounds, MB/s |"
    echo "|---|---|---|---|---|---|"
    row "one text, windows of 1,024" text
    row ".jsonl, \`text\`" rows
    row ".jsonl, instructions" instructions
}
table
commit() {
    git rev-parse --short HEAD
    git diff --quiet HEAD -- || echo "with uncommitted changes"
}
cat > "$output.new" <<MARKDOWN
# Reading training data

$megabytes MB of each kind, made of the paragraphs of \`$(basename "$text")\` in random order, read
by \`bin/train --dry_run\` on $threads threads with the tokenizer of \`$(basename "$tokenizer")\`: tokens, loss
weights and SHA-256. Medians of $rounds alternating rounds; the files were in the page cache. MB are
bytes of the file. Anonymous memory is what the process cannot give back; the peak holds the
program's own pages and those of files it looked at, too. Both are those of the time until all rows
are there.

$(table)

- Machine: $(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores; load average $load_before before, $(cut -d' ' -f1 /proc/loadavg) after.
- Fettle at $(commit | paste -sd' '), $(date +%Y-%m-%d).
- Command: \`scripts/bench_index.sh --tokenizer $(basename "$tokenizer") --text $(basename "$text") --megabytes $megabytes --rounds
  $rounds --threads $threads\`.
MARKDOWN
mv "$output.new" "$output"
echo "written: $output" >&2
