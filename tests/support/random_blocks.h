// Quantised blocks of random integers, with scales that keep the weights within a few units.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/quantize/dequantize.h"
#include "model/io/tensor_type.h"
#include "tests/support/devices.h"

inline constexpr BlockType kQuantizedTypes[] = {BlockType::q8_0, BlockType::q4_0, BlockType::q4_1,
                                                BlockType::q5_0, BlockType::q5_1, BlockType::q4_k,
                                                BlockType::q5_k, BlockType::q6_k};

// Blocks of `weights` weights.
inline std::vector<std::byte> random_blocks(BlockType type, int64_t weights, uint64_t seed) {
    const int bytes = bytes_per_block(type);
    const int64_t blocks = weights / values_per_block(type);
    const std::vector<float> noise = normal<float>(blocks * (bytes + 2), 0.0, 1.0, seed);
    std::vector<std::byte> out(static_cast<size_t>(blocks * bytes));
    const bool has_minimum = type == BlockType::q4_1 || type == BlockType::q5_1 ||
                             type == BlockType::q4_k || type == BlockType::q5_k;
    const int scale_at = type == BlockType::q6_k ? bytes - 2 : 0;
    for (int64_t b = 0; b < blocks; ++b) {
        const float* from = noise.data() + b * (bytes + 2);
        std::byte* block = out.data() + b * bytes;
        for (int i = 0; i < bytes; ++i)
            block[i] = static_cast<std::byte>(static_cast<int>(from[i] * 1000.0f) & 255);
        const uint16_t scale = half_bits_from_float(0.01f * from[bytes]);
        const uint16_t minimum = half_bits_from_float(0.1f * from[bytes + 1]);
        std::memcpy(block + scale_at, &scale, 2);
        if (has_minimum) std::memcpy(block + 2, &minimum, 2);
    }
    return out;
}
