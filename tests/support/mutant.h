// The faults that scripts/mutate_kernels.sh plants in copies of the kernels, one of them awake in a
// run: $FETTLE_MUTANT is its number. Where the source says `a < b`, the copy says
// `a <mutant::less{site}> b`, which has the precedence of the original; `__syncthreads()` becomes
// `mutant::is_synced(site) ? __syncthreads() : void()`.
//
//   number 4 * site        the bound moves by one: < becomes <=, <= becomes <, ...
//   number 4 * site + 1    it moves the other way
//   number 4 * site + 2    the condition holds (<, <=), or never does (>, >=)
//   number 4 * site        of a synchronisation: it is left out
//   number 4 * site + 1    of a wait at an mbarrier: it is for the other phase
#pragma once

#include <cstdlib>
#include <type_traits>

namespace mutant {

inline const int active = [] {
    const char* text = std::getenv("FETTLE_MUTANT");
    return text == nullptr ? -1 : std::atoi(text);
}();

constexpr int kNotABound = 77;  // exit status: floats have no neighbours that a bound moves to

inline bool is_synced(int site) { return active != 4 * site; }
inline unsigned flips(int site) { return active == 4 * site + 1; }

// One comparison of the source; kLess: < or <=, kEqual: <= or >=.
template <bool kLess, bool kEqual>
struct Comparison {
    int site;

    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
        const int kind = active - 4 * site;
        if (kind < 0 || kind > 2) return holds(a, b, kEqual);
        if (kind == 2) return kLess;
        if (kind == 0) return holds(a, b, !kEqual);
        if constexpr (std::is_floating_point_v<A> || std::is_floating_point_v<B>) {
            std::_Exit(kNotABound);
        } else if constexpr (kLess) {
            return kEqual ? holds(a, b + 1, true) : holds(a + 1, b, false);
        } else {
            return kEqual ? holds(a + 1, b, true) : holds(a, b + 1, false);
        }
    }

private:
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"  // as the comparison in the source would
    template <typename A, typename B>
    static bool holds(const A& a, const B& b, bool equal) {
        if (kLess) return equal ? a <= b : a < b;
        return equal ? a >= b : a > b;
    }
#pragma GCC diagnostic pop
};
using less = Comparison<true, false>;
using less_equal = Comparison<true, true>;
using greater = Comparison<false, false>;
using greater_equal = Comparison<false, true>;

template <typename A, bool kLess, bool kEqual>
struct Half {
    const A& left;
    Comparison<kLess, kEqual> comparison;

    template <typename B>
    bool operator>(const B& right) const {
        return comparison(left, right);
    }
};
template <typename A, bool kLess, bool kEqual>
Half<A, kLess, kEqual> operator<(const A& left, Comparison<kLess, kEqual> comparison) {
    return {left, comparison};
}

}  // namespace mutant
