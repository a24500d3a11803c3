#include "kernels/simt/ptx/program_registers.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "kernels/core/check.h"

namespace simt::ptx {
namespace {

constexpr uint64_t kUnset = ~uint64_t{0};  // a NaN as any float, an odd address

constexpr std::string_view kNames[] = {
    "%tid.x",       "%tid.y",           "%tid.z",
    "%ntid.x",      "%ntid.y",          "%ntid.z",
    "%ctaid.x",     "%ctaid.y",         "%ctaid.z",
    "%nctaid.x",    "%nctaid.y",        "%nctaid.z",
    "%laneid",      "%warpid",          "%lanemask_eq",
    "%lanemask_lt", "%lanemask_le",     "%lanemask_gt",
    "%lanemask_ge", "%cluster_ctarank", "%cluster_nctarank",
};
static_assert(std::size(kNames) == Special::parameters);

// Splits "%r13" into "%r" and 13. A name without a number has none, and nor has one like "%r013".
bool split_number(std::string_view name, std::string_view* prefix, uint64_t* number) {
    const size_t last = name.find_last_not_of("0123456789");
    const size_t first = last + 1;
    if (first >= name.size() || name.size() - first > 9) return false;
    if (name[first] == '0' && name.size() - first > 1) return false;
    *prefix = name.substr(0, first);
    *number = 0;
    for (const char digit : name.substr(first))
        *number = *number * 10 + static_cast<uint64_t>(digit - '0');
    return true;
}

}  // namespace

bool find_special(std::string_view name, Special::Kind* kind) {
    const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
    if (found == std::end(kNames)) return false;
    *kind = static_cast<Special::Kind>(found - std::begin(kNames));
    return true;
}

void ProgramRegisters::declare(std::string_view name, uint64_t count) {
    uint64_t& known = counts_[std::string(name)];  // an inner scope may declare it again
    known = std::max(known, count);
}

bool ProgramRegisters::is_declared(std::string_view name) const {
    const auto found = counts_.find(std::string(name));
    if (found != counts_.end() && found->second == 0) return true;
    std::string_view prefix;
    uint64_t number = 0;
    if (!split_number(name, &prefix, &number)) return false;
    const auto range = counts_.find(std::string(prefix));
    return range != counts_.end() && number < range->second;
}

uint16_t ProgramRegisters::add(uint64_t value, bool writable) {
    const size_t slot = program_.registers.size();
    ENSURE_INPUT(slot <= std::numeric_limits<uint16_t>::max(), program_.entry().name,
                 "more than {} registers and constants", slot);
    program_.registers.push_back(value);
    writable_.push_back(writable);
    return static_cast<uint16_t>(slot);
}

uint16_t ProgramRegisters::of_register(std::string_view name) {
    const auto [found, is_new] = registers_.try_emplace(std::string(name));
    if (is_new) found->second = add(kUnset, true);
    return found->second;
}

uint16_t ProgramRegisters::of_constant(uint64_t value) {
    const auto [found, is_new] = constants_.try_emplace(value);
    if (is_new) found->second = add(value, false);
    return found->second;
}

uint16_t ProgramRegisters::of_special(Special::Kind kind, uint64_t offset) {
    const auto [found, is_new] = specials_.try_emplace({kind, offset});
    if (is_new) {
        found->second = add(kUnset, false);
        program_.specials.push_back({kind, found->second, offset});
    }
    return found->second;
}

uint16_t ProgramRegisters::unused() { return add(kUnset, true); }

}  // namespace simt::ptx
