#!/usr/bin/env bash
# The text that the demo's base model is trained on: public-domain novels and State of the Union
# addresses, cleaned and split.
#
#     scripts/make_demo_corpus.sh DATA_DIR OUTPUT_DIR
#
# DATA_DIR holds (GitHub repository and path of each):
#     gutenberg/alice.txt               GITenberg/Alice-s-Adventures-in-Wonderland_11  11-0.txt
#     gutenberg/frankenstein.txt        GITenberg/Frankenstein_84  84-0.txt
#     gutenberg/pride_and_prejudice.txt GITenberg/Pride-and-Prejudice_1342  1342-0.txt
#     gutenberg/sherlock_holmes.txt     GITenberg/The-Adventures-of-Sherlock-Holmes_1661  1661.txt
#     moby_dick/data.txt                stdlib-js/datasets-moby-dick  data/data.txt
#     sotu/sotu_all.txt                 stdlib-js/datasets-sotu  data/*.txt, joined with a line
#                                       "<|doc|> NAME" before and an empty line after each
#
# OUTPUT_DIR gets train/NAME.txt, one for each source, and valid/novels.txt and valid/sotu.txt with
# the last 2 % of each source (whole lines; the addresses are in order of year). A paragraph is a
# line, so is each line of verse and each address; the publisher's header, licence and name, title
# pages and tables of contents are left out; quotes and dashes are ASCII.
set -euo pipefail
export LC_ALL=C

[ $# -eq 2 ] || { echo "usage: scripts/make_demo_corpus.sh DATA_DIR OUTPUT_DIR" >&2; exit 2; }
data=$1 output=$2

# to_ascii: UTF-8 to ASCII by hand, since iconv's tables differ between systems; CRLF to LF.
to_ascii() {
    sed -e 's/\r$//' -e '1s/^\xef\xbb\xbf//' \
        -e "s/\xe2\x80[\x98\x99]/'/g" -e 's/\xe2\x80[\x9c\x9d]/"/g' -e 's/\xe2\x80\x94/--/g' \
        -e 's/\xe2\x80[\x91\x93]/-/g' -e 's/\xe2\x80\xa2 *//g' -e 's/\xc2\xb0/ degrees/g' \
        -e 's/\xc3\xa6/ae/g' -e 's/\xc3\xa1/a/g' -e 's/\xc3[\xa8\xa9\xaa]/e/g' \
        -e 's/\xc3\xaf/i/g' -e 's/\xc3[\xb3\xb4]/o/g' | tr -d '\001-\010\013-\037'
}

# body FIRST: the lines from the first that begins with FIRST to the publisher's closing words.
body() {
    awk -v first="$1" '
        !inside && index($0, first) == 1 { inside = 1 }
        /^(\*\*\* *END|End of (the )?Project Gutenberg)/ { over = 1 }
        inside && !over'
}

# paragraphs: hard-wrapped lines become one line a paragraph; indented lines (verse) stay lines.
paragraphs() {
    awk '
        function flush() { if (text != "") print text; text = "" }
        { indented = /^    /
          gsub(/_+/, ""); gsub(/[ \t]+/, " "); sub(/^ /, ""); sub(/ $/, "") }
        $0 == "" || /^[* ]+$/ || /^THE END$/ { flush(); next }
        indented { flush(); print; next }
        { text = text == "" ? $0 : text " " $0 }
        END { flush() }'
}

novel() {  # name, file, first line
    [ -f "$data/$2" ] || { echo "$data/$2: not found" >&2; exit 2; }
    to_ascii < "$data/$2" | body "$3" | paragraphs > "$output/$1.all"
}

addresses() {  # stage directions and page marks go
    [ -f "$data/sotu/sotu_all.txt" ] || { echo "$data/sotu/sotu_all.txt: not found" >&2; exit 2; }
    to_ascii < "$data/sotu/sotu_all.txt" | grep -v '^<|doc|>' |
        sed -E 's/[[(]([Aa]pplause|[Ll]aughter)\.?[])]//g; s/\[(p\.)?[0-9]+\]//g' |
        paragraphs > "$output/sotu.all"
}

split() {  # name, domain: whole lines; the last 2 % of the bytes are held out
    local total
    total=$(wc -c < "$output/$1.all")
    awk -v bytes="$total" -v train="$output/train/$1.txt" -v valid="$output/valid/$2.txt" '
        { seen += length($0) + 1; if (seen <= 0.98 * bytes) print > train; else print >> valid }
        ' "$output/$1.all"
    rm "$output/$1.all"
}

mkdir -p "$output/train" "$output/valid"
rm -f "$output"/train/*.txt "$output"/valid/*.txt
novel alice gutenberg/alice.txt "CHAPTER I. "
novel frankenstein gutenberg/frankenstein.txt "_To Mrs. Saville, England._"
novel pride_and_prejudice gutenberg/pride_and_prejudice.txt "Chapter 1"
novel sherlock_holmes gutenberg/sherlock_holmes.txt "ADVENTURE I. "
novel moby_dick moby_dick/data.txt "CHAPTER 1. "
addresses
for name in alice frankenstein pride_and_prejudice sherlock_holmes moby_dick; do
    split "$name" novels
done
split sotu sotu

if grep -qi gutenberg "$output"/*/*.txt; then
    echo "the publisher's name is still in: $(grep -li gutenberg "$output"/*/*.txt)" >&2
    exit 1
fi
if grep -q '[^ -~]' "$output"/*/*.txt; then
    echo "not ASCII: $(grep -m 3 -o '.\{20\}[^ -~]\+' "$output"/*/*.txt)" >&2
    exit 1
fi
wc -lc "$output"/*/*.txt
