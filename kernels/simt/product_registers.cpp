#include "kernels/simt/product_registers.h"

#include <fmt/core.h>

#include <bit>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

constexpr uintptr_t kWord = 4;
constexpr size_t kOperandBytes = 16;

// -ftrivial-auto-var-init=pattern: what a float holds that nobody wrote.
#if defined(__clang__)
constexpr uint32_t kNeverWritten = 0xffffffffu;
#else
constexpr uint32_t kNeverWritten = 0xfefefefeu;
#endif

WarpProducts& own() { return block->products[block->current->warp]; }
Thread& lane_of_warp(int lane) {
    return block->threads[block->current->warp * kLanesPerWarp + lane];
}

// Of one lane.
void check_fenced([[maybe_unused]] int lane, [[maybe_unused]] const void* registers,
                  [[maybe_unused]] size_t bytes, [[maybe_unused]] Place place) {
#if defined(FETTLE_CHECK)
    const auto begin = reinterpret_cast<uintptr_t>(registers);
    const auto& touched = own().registers.touched;
    const auto found = touched.lower_bound(begin);
    if (found != touched.end() && found->first < begin + bytes)
        fail(
            fmt::format("missing arrive: {} at {} touches registers of the product at {}, with no "
                        "warpgroup_arrive in between",
                        name_of(lane_of_warp(lane)), check::line_of(found->second), place.text()));
#endif
}

}  // namespace

void check_written(const float* sums, int count, int lane, Place place) {
    if (!check::kOn) return;
    for (int i = 0; i < count; ++i)
        if (std::bit_cast<uint32_t>(sums[i]) == kNeverWritten)
            fail(
                fmt::format("uninitialised: {} at {} adds a product to sums of which it never "
                            "wrote [{}][{}]",
                            name_of(lane_of_warp(lane)), place.text(), i / 4, i % 4));
}

void check_left_operand(const uint32_t* const* registers, Place place) {
    if (!check::kOn) return;
    for (int lane = 0; lane < kLanesPerWarp; ++lane)
        check_fenced(lane, registers[lane], kOperandBytes, place);
}

void check_sums(const FlyingSums& sums, bool adds, Place place) {
    if (!check::kOn) return;
    const int count = 4 * sums.fragments;
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        const float* variable = sums.registers[lane].variable();
        if (variable == nullptr) return;
        check_fenced(lane, variable, sizeof(float) * static_cast<size_t>(count), place);
        if (adds) check_written(variable, count, lane, place);
    }
}

void hold_left_operand(const FlyingOperand& operand) {
    if (check::kOn) own().registers.operands.push_back(operand);
}

void release_left_operands(int group) {
    std::erase_if(own().registers.operands,
                  [&](const FlyingOperand& operand) { return operand.group < group; });
}

void forget_touched_registers() { own().registers.touched.clear(); }

RegisterUse note_register_access(const void* address, size_t bytes, uint32_t pc) {
    WarpProducts& warp = own();
    if (!warp.has_arrived && warp.sums.empty()) return {};
    const auto begin = reinterpret_cast<uintptr_t>(address), end = begin + bytes;
    const auto meets = [&](const void* registers, size_t size) {
        const auto first = reinterpret_cast<uintptr_t>(registers);
        return registers != nullptr && begin < first + size && first < end;
    };
    const int lane = block->current->lane;
    for (const FlyingSums& sums : warp.sums)
        if (meets(sums.registers[lane].variable(),
                  sizeof(float) * 4 * static_cast<size_t>(sums.fragments)))
            return {.kind = "sums in flight", .product = &sums.place};
    for (const FlyingOperand& operand : warp.registers.operands)
        if (meets(operand.registers[lane], kOperandBytes))
            return {.kind = "operand in flight", .product = &operand.place};
    for (uintptr_t word = begin / kWord * kWord; warp.has_arrived && word < end; word += kWord)
        warp.registers.touched[word] = pc;
    return {};
}

}  // namespace simt
