# Faults planted in a kernel file, for scripts/mutate_kernels.sh: writes a mutated copy to `copy`,
# whose sites are numbered from `site`, and a line a mutant to `table`: its number, file:line, what
# is done, and after a tab the source line with @ before what it is done to. Prints the next site.
# tests/support/mutant.h is what the copy calls.
BEGIN {
    name["<"] = "less"; name["<="] = "less_equal"; name[">"] = "greater"
    name[">="] = "greater_equal"
    synchronises = "(__syncthreads|__syncwarp|wait_for_(all_)?copies|commit_copies|fence_[a-z_]*|" \
                   "mbarrier_[a-z_]+|warpgroup_(arrive|commit|wait)|named_barrier_[a-z]+|" \
                   "set_registers_[a-z]+|release|commit_stores|wait_stores(_read)?)(<[^<>]*>)?\\("
    print "#include \"tests/support/mutant.h\"" > copy
    printf "#line 1 \"%s\"\n", file > copy
}
function mutant(kind, what, at) {
    printf "%d %s:%d %s\t%s@%s\n", 4 * site + kind, file, NR, what, substr(line, 1, at - 1),
           substr(line, at) >> table
}
/__device__|__global__/ { in_kernel = 1 }  # host code launches kernels, it is none
/^}/ { in_kernel = 0 }
!in_kernel || /^ *\/\/|simt::|constexpr|static_assert|^ *template|^#|ENSURE/ { print > copy; next }
{
    gsub(/ FETTLE_SIMD_LOOP$/, "")  # asks for a comparison of the language in the next line
    rest = $0
    comment = ""
    if (match(rest, / +\/\/ /)) { comment = substr(rest, RSTART); rest = substr(rest, 1, RSTART - 1) }
    line = rest
    text = ""
    in_loop = rest ~ /^ *(for|while) ?\(/ || loop_goes_on
    loop_goes_on = in_loop && rest !~ /[{;]$|\)$/
    while (match(rest, / (<|<=|>|>=)( |$)/)) {
        operator = substr(rest, RSTART + 1, RLENGTH - 1)
        sub(/ $/, "", operator)
        at = length(line) - length(rest) + RSTART + 1
        mutant(0, operator " moved by one", at)
        mutant(1, operator " moved by one the other way", at)
        if (!in_loop) mutant(2, operator " dropped", at)
        text = text substr(rest, 1, RSTART) "<mutant::" name[operator] "{" site "}>"
        rest = substr(rest, RSTART + 1 + length(operator))
        ++site
    }
    rest = text rest
    if (match(rest, synchronises) && rest ~ /\);$/) {
        before = substr(rest, 1, RSTART - 1)
        call = substr(rest, RSTART, length(rest) - RSTART)
        at = length(line) - length(rest) + RSTART
        mutant(0, substr(rest, RSTART, RLENGTH) ") left out", at)
        if (call ~ /^mbarrier_wait\(/ && match(call, /, [^,]*\)$/)) {
            mutant(1, "mbarrier_wait() for the other phase", at)
            call = substr(call, 1, RSTART + 1) "(" substr(call, RSTART + 2, RLENGTH - 3) \
                   ") ^ mutant::flips(" site "))"
        }
        rest = before "mutant::is_synced(" site ") ? " call " : void();"
        ++site
    }
    print rest comment > copy
}
END { print site }
