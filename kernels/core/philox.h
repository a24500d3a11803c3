// Philox4x32-10 (Salmon et al., SC 2011): random numbers as a pure function of a key and a counter,
// so that a mask or a sample depends on what it is for, never on when or where it is drawn.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/core/dtype.h"

struct PhiloxKey {
    uint32_t low = 0;
    uint32_t high = 0;
};

// Four independent 32-bit words for (key, counter).
FETTLE_HOST_DEVICE inline std::array<uint32_t, 4> philox(PhiloxKey key,
                                                         std::array<uint32_t, 4> counter) {
    for (int round = 0; round < 10; ++round) {
        const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
        const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key.low,
                   static_cast<uint32_t>(product1),
                   static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key.high,
                   static_cast<uint32_t>(product0)};
        key.low += 0x9E3779B9u;
        key.high += 0xBB67AE85u;
    }
    return counter;
}

// Uniform in [0, 1) with 24 random bits.
FETTLE_HOST_DEVICE inline float uniform(uint32_t word) {
    return static_cast<float>(word >> 8) * 0x1p-24f;
}

// Who draws: the first word of every counter, so that no two uses meet.
enum class RandomPurpose : uint32_t { initializer = 1, shuffle, dropout, sample };
