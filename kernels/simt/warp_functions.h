// What the lanes of a warp do together. `mask` names the lanes that take part; each of them must
// call the same function with the same mask, or the launch ends in an Error that says who did not.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simt/place.h"

namespace simt {

enum class Shuffle { index, up, down, exclusive_or };
// `bits` of the lane that (kind, operand) selects within each group of `width` lanes.
uint64_t shuffle(uint32_t mask, uint64_t bits, Shuffle kind, int operand, int width, Place place);
uint32_t ballot(uint32_t mask, bool vote, Place place);
void sync_warp(uint32_t mask, Place place);

template <typename T>
T shuffle_value(uint32_t mask, T value, Shuffle kind, int operand, int width, Place place) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = shuffle(mask, bits, kind, operand, width, place);
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace simt

namespace on_simt {

inline void __syncwarp(uint32_t mask = 0xffffffffu, FETTLE_CALLER) {
    simt::sync_warp(mask, {file, line});
}
template <typename T>
T __shfl_sync(uint32_t mask, T value, int lane, int width = 32, FETTLE_CALLER) {
    return simt::shuffle_value(mask, value, simt::Shuffle::index, lane, width, {file, line});
}
template <typename T>
T __shfl_up_sync(uint32_t mask, T value, unsigned delta, int width = 32, FETTLE_CALLER) {
    return simt::shuffle_value(mask, value, simt::Shuffle::up, int(delta), width, {file, line});
}
template <typename T>
T __shfl_down_sync(uint32_t mask, T value, unsigned delta, int width = 32, FETTLE_CALLER) {
    return simt::shuffle_value(mask, value, simt::Shuffle::down, int(delta), width, {file, line});
}
template <typename T>
T __shfl_xor_sync(uint32_t mask, T value, int lanes, int width = 32, FETTLE_CALLER) {
    return simt::shuffle_value(mask, value, simt::Shuffle::exclusive_or, lanes, width,
                               {file, line});
}
inline uint32_t __ballot_sync(uint32_t mask, int vote, FETTLE_CALLER) {
    return simt::ballot(mask, vote != 0, {file, line});
}
inline int __any_sync(uint32_t mask, int vote, FETTLE_CALLER) {
    return simt::ballot(mask, vote != 0, {file, line}) != 0;
}
inline int __all_sync(uint32_t mask, int vote, FETTLE_CALLER) {
    return simt::ballot(mask, vote != 0, {file, line}) == mask;
}

}  // namespace on_simt
