#!/usr/bin/env bash
# Are the tests of the kernels awake? Plants one fault at a time in the emulated kernels and runs
# the tests of their op, fast build first, then the check build. Prints a row of counts per op, the
# faults that no test noticed and docs/kernels/mutants.md does not explain, and explanations of what
# is not there; exits 1 if there are any.
#
#     scripts/mutate_kernels.sh [--only FOLDER] [--explained] [--jobs N] [--output FILE]
#
# Faults: a synchronisation left out, an mbarrier waited for in the other phase; a comparison's
# bound moved by one, both ways; a comparison dropped (not those of loops, which would never end).
# tests/support/mutant.h has the details.
# --only takes a regular expression of what follows kernels/, such as 'sample' or 'core/pack'. The
# faults that the page explains count as survivors; --explained runs them alone, to see that they are.
set -euo pipefail
cd "$(dirname "$0")/.."
only='' which=unexplained jobs=$(nproc) output=build/mutants.txt
page=docs/kernels/mutants.md
# What other tests show the check build too: the same accesses again in another order or type.
export repeated='*changes no bit*,*pair<bf16*,attention*<bf16>,attention*agrees with the reference<float>,attention_backward: what is not*,attention: a long row agrees*,sample: agrees*'
export OMP_NUM_THREADS=1

fail() { echo "mutate_kernels.sh: $*" >&2; exit 2; }

# Mutated copies of all kernels to $1, the list of mutants to $1/mutants.txt.
generate() {
    local to=$1 site=0 file
    rm -rf "$to"
    mkdir -p "$to"
    : >"$to/mutants.txt"
    while read -r file; do
        mkdir -p "$to/$(dirname "$file")"
        site=$(awk -v file="$file" -v site="$site" -v copy="$to/$file" -v table="$to/mutants.txt" \
            -f scripts/plant_mutants.awk "$file")
    done < <(find kernels -name '*.cu' ! -name '*_runtime.cu' -o -name '*.cuh' ! -name cuda_check.cuh | sort)
}

# The tests of kernel file $1: the one whose name the file's begins with, the longest of them, else
# all of its folder. Some of core's are with the emulator's; forms for a chip have tests together.
tests_of() {
    local folder name test
    folder=$(dirname "$1") name=$(basename "${1%.*}")
    [ "$folder" != kernels/core ] || folder='kernels/core/*,*tests/kernels/simt'
    [[ $name != *_sm[89]0 ]] || name=${name%_*}_forms
    for ((; ${#name} > 0; )); do
        test=tests/$folder/${name}_test.cpp
        [ -f "$test" ] && printf '*%s' "$test" && return
        name=${name%"${name##*_}"} name=${name%_}
    done
    printf '*tests/%s/*' "$folder"
}

# The exit status of the tests $2 with mutant $3 (-1: none), killed after $4 seconds of the CPU's
# time, in the way $1: fast (without the tests of long runs), checked (likewise, in the check
# build) or long (only those).
run_mutant() {
    local build=release-nocuda choice
    choice=$(sed -n "s/^checked='-tce=\(.*\)'$/\1/p" scripts/test.sh)
    if [ "$1" = checked ]; then build=check-nocuda choice=$choice,$repeated; fi
    if [ "$1" = long ]; then choice="-tc=$choice"; else choice="-tce=$choice"; fi
    (
        ulimit -t "$4"
        FETTLE_MUTANT=$3 exec "build/$build/test_mutants" --device simt -sf="$2" -aa=1 "$choice"
    ) >/dev/null 2>&1
}

# Seconds of the CPU that tests $2 may take in the way $1: three times what they take without a
# fault, which they must pass; to the file named by both.
find_limit() {
    local seconds TIMEFORMAT='%U %S'
    seconds=$({ time run_mutant "$1" "$2" -1 3600 || echo failed >&2; } 2>&1)
    [[ $seconds != *failed* ]] ||
        { echo "the tests $2 ($1) fail without a mutant; run test_mutants --device simt" >&2; exit 255; }
    awk -v s="$seconds" 'BEGIN { split(s, t, " "); print int(3 * (t[1] + t[2])) + 3 }' \
        >"$limits/$1 ${2//\//:}"
}

# A mutant's number, place and deed to a line of results. "hung": beyond the limit, as is a loop
# that never ends.
judge() {
    local number=$1 place=$2 what=$3 fate=survived tests way status
    tests=$(tests_of "${place%:*}")
    for way in fast checked long; do
        status=0
        run_mutant $way "$tests" "$number" "$(<"$limits/$way ${tests//\//:}")" || status=$?
        case $status in
            0) continue ;;
            77) fate=no_fault ;;
            137 | 152) fate=hung ;;  # SIGKILL, SIGXCPU
            *) fate=$way ;;
        esac
        break
    done
    echo "$fate $number $place $what"
}

# The page's explanations, resolved: the numbers of the mutants in list $1 that they speak of, and
# those that speak of none. An explanation: - `file:line` `<` moved by one, in `code`: why
# With the code in several lines, the nearest is meant.
explained() {
    awk -F'`' '
    NR == FNR {
        split($0, halves, "\t"); split(halves[1], word, " ")
        numbers[++count] = word[1]; place[count] = word[2]; code[count] = halves[2]
        what[count] = substr(halves[1], length(word[1] word[2]) + 3)
        next
    }
    /^- `kernels\// {
        deed = $4 $5; sub(/, in $/, "", deed); split($2, wanted, ":")
        operator = $4; best = 0
        for (i = 1; i <= count; ++i) {
            split(place[i], here, ":")
            if (here[1] != wanted[1] || what[i] != deed) continue
            found = 0
            for (at = 1; at <= length($6); ++at)
                if (substr($6, at, length(operator)) == operator &&
                    index(code[i], substr($6, 1, at - 1) "@" substr($6, at))) found = 1
            distance = here[2] > wanted[2] ? here[2] - wanted[2] : wanted[2] - here[2]
            if (found && (!best || distance < least)) { best = i; least = distance }
        }
        if (best) print numbers[best]; else print "of nothing:", $0
    }' "$1" "$page"
}

# A row of counts for each op of results $1.
print_rows() {
    echo '| op | mutants | wrong result | check build | hung | survivors |'
    echo '|---|---|---|---|---|---|'
    awk '
    $1 == "no_fault" { next }
    { split($3, part, "/"); op = part[2]; ops[op]; ++n[op, $1]; ++all[$1] }
    function row(op, fast, checked, hung, survived) {
        return sprintf("| %s | %d | %d | %d | %d | %d |", op, fast + checked + hung + survived,
                       fast, checked, hung, survived)
    }
    END {
        for (op in ops)
            print row(op, n[op, "fast"] + n[op, "long"], n[op, "checked"], n[op, "hung"],
                      n[op, "survived"]) | "sort"
        close("sort")
        print row("all", all["fast"] + all["long"], all["checked"], all["hung"], all["survived"])
    }' "$1"
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
        --explained) which=explained; shift ;;
        -h|--help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
        *) fail "$1: unknown flag; --help lists them" ;;
    esac
done

make CUDA=0 build/release-nocuda/test_mutants
make CUDA=0 CONFIG=check build/check-nocuda/test_mutants
start=$SECONDS judged=0
limits=$(mktemp -d)
list=$limits/list
export limits
export -f run_mutant tests_of find_limit judge
trap 'rm -rf "$limits"' EXIT
grep -E "^[0-9]+ kernels/($only)" build/release-nocuda/mutated/mutants.txt >"$list" ||
    fail "--only $only: no kernel has such a name"
explained build/release-nocuda/mutated/mutants.txt >"$limits/explained"
awk -v which=$which 'NR == FNR { known[$1]; next } ($1 in known) == (which == "explained")' \
    "$limits/explained" "$list" >"$limits/run"
for file in $(cut -d' ' -f2 "$limits/run" | cut -d: -f1 | sort -u); do
    for way in fast checked long; do printf '%s\n%s\n' $way "$(tests_of "$file")"; done
done | paste - - | sort -u | tr '\t' '\n' |
    xargs -d '\n' -n 2 -P "$jobs" bash -c 'find_limit "$@"' find_limit || exit 2
sed -E 's/\t.*//; s/^([0-9]+) ([^ ]+) (.*)/\1\n\2\n\3/' "$limits/run" |
    xargs -d '\n' -n 3 -P "$jobs" bash -c 'judge "$@"' judge |
    while read -r result; do
        echo "$result"
        printf '\r%d of %d' $((++judged)) "$(wc -l <"$limits/run")" >&2
    done >"$output"
echo >&2
if [ $which = explained ]; then
    grep -vE '^(survived|no_fault) ' "$output" && fail "these are noticed, though $page explains them"
    echo "all $(wc -l <"$output") survive"
    exit
fi
awk 'NR == FNR { known[$1]; next } $1 in known { sub(/\t.*/, ""); print "survived", $0 }' \
    "$limits/explained" "$list" >>"$output"

print_rows "$output"
awk -v seconds=$((SECONDS - start)) '
    FNR == 1 { ++part }
    part == 1 && /^[0-9]/ { known[$1]; next }
    part == 1 { ++bad; print "an explanation", $0; next }
    part == 2 { split($0, half, "\t"); code[$1] = half[2]; next }
    { ++count[$1] }
    $1 == "survived" && $2 in known { ++explained; next }
    $1 == "survived" { ++bad; print "unexplained:", $0, "in", code[$2] }
    END {
        noticed = count["fast"] + count["checked"] + count["long"] + count["hung"]
        all = noticed + count["survived"]
        printf "%d of %d mutants noticed: %.1f %%, and %.1f %% of those not explained as equivalent; %d s\n",
               noticed, all, 100 * noticed / all, 100 * noticed / (all - explained), seconds
        exit bad > 0
    }' "$limits/explained" "$list" "$output"
