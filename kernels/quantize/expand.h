// The weights of a quantised block as vectors, 32 at a time: what dequantize() writes and quantised
// products multiply by.
#pragma once

#include <cstring>

#include "kernels/core/simd.h"
#include "kernels/quantize/dequantize.h"
#include "kernels/quantize/half.h"

inline constexpr int kGroupWeights = 32;
inline constexpr int kGroupParts = kGroupWeights / kVectorFloats;

// Weights of a block: every one of more than 32 has 256.
template <typename Block>
inline constexpr int kValues = sizeof(Block) > 64 ? kSuperBlock : kSmallBlock;

// Weights 32 g .. 32 g + 31 of a block.
struct WeightGroup {
    Vector part[kGroupParts];
};

// As many integers as a Vector has floats.
using IntVector [[gnu::vector_size(sizeof(Vector))]] = int32_t;

inline Vector to_float(IntVector v) { return __builtin_convertvector(v, Vector); }

// Bytes as integers. By intrinsics where there are any: g++ 12 widens the bytes of a vector one by
// one.
inline IntVector load_bytes(const uint8_t* from) {
#if defined(__AVX512F__)
    return std::bit_cast<IntVector>(_mm512_maskz_cvtepu8_epi32(
        0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
    return std::bit_cast<IntVector>(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
    IntVector v;
    for (int lane = 0; lane < kVectorFloats; ++lane) v[lane] = from[lane];
    return v;
#endif
}
inline IntVector load_bytes(const int8_t* from) {
    const IntVector v = load_bytes(reinterpret_cast<const uint8_t*>(from));
    return (v << 24) >> 24;
}

// 0, 1, 2 ...
inline IntVector lane_numbers() {
    IntVector lanes;
    for (int lane = 0; lane < kVectorFloats; ++lane) lanes[lane] = lane;
    return lanes;
}

// Weights that were stored as 16 bytes: those in the lower four bits, then those in the upper.
// values(q, part) makes weights of the integers.
template <typename Values>
WeightGroup from_nibbles(const uint8_t* nibbles, const Values& values) {
    WeightGroup group;
    for (int part = 0; part < kGroupParts / 2; ++part) {
        const IntVector bytes = load_bytes(nibbles + part * kVectorFloats);
        const int upper = part + kGroupParts / 2;
        group.part[part] = values(bytes & 15, part);
        group.part[upper] = values(bytes >> 4, upper);
    }
    return group;
}

inline WeightGroup expand(const BlockQ8_0& block, int) {
    const float scale = float_from_half(block.scale);
    WeightGroup group;
    for (int part = 0; part < kGroupParts; ++part)
        group.part[part] = scale * to_float(load_bytes(block.values + part * kVectorFloats));
    return group;
}

inline WeightGroup expand(const BlockQ4_0& block, int) {
    const float scale = float_from_half(block.scale);
    return from_nibbles(block.nibbles, [=](IntVector q, int) { return scale * to_float(q - 8); });
}

inline WeightGroup expand(const BlockQ4_1& block, int) {
    const float scale = float_from_half(block.scale), minimum = float_from_half(block.minimum);
    return from_nibbles(block.nibbles,
                        [=](IntVector q, int) { return scale * to_float(q) + minimum; });
}

// The fifth bits of a part's weights, in place: 0 or 16.
inline IntVector fifth_bits(const uint8_t (&packed)[4], int part) {
    uint32_t bits;
    std::memcpy(&bits, packed, sizeof bits);
    const auto here = static_cast<int32_t>(bits >> (part * kVectorFloats));
    return ((here >> lane_numbers()) & 1) << 4;
}

inline WeightGroup expand(const BlockQ5_0& block, int) {
    const float scale = float_from_half(block.scale);
    return from_nibbles(block.nibbles, [&](IntVector q, int part) {
        return scale * to_float((q | fifth_bits(block.fifth_bits, part)) - 16);
    });
}

inline WeightGroup expand(const BlockQ5_1& block, int) {
    const float scale = float_from_half(block.scale), minimum = float_from_half(block.minimum);
    return from_nibbles(block.nibbles, [&](IntVector q, int part) {
        return scale * to_float(q | fifth_bits(block.fifth_bits, part)) + minimum;
    });
}

// s and m of one of a block's eight groups.
struct GroupScale {
    int scale, minimum;
};
inline GroupScale group_scale(const uint8_t (&packed)[12], int group) {
    if (group < 4) return {packed[group] & 63, packed[4 + group] & 63};
    const int upper_scale = packed[group - 4] >> 6, upper_minimum = packed[group] >> 6;
    return {(packed[4 + group] & 15) | upper_scale << 4,
            packed[4 + group] >> 4 | upper_minimum << 4};
}

// upper(part) are the bits above the four.
template <typename Block, typename Upper>
WeightGroup expand_group(const Block& block, int group, const Upper& upper) {
    const GroupScale packed = group_scale(block.group_scales, group);
    const float scale = float_from_half(block.scale) * static_cast<float>(packed.scale);
    const float minimum = float_from_half(block.minimum) * static_cast<float>(packed.minimum);
    WeightGroup weights;
    for (int part = 0; part < kGroupParts; ++part) {
        const IntVector bytes = load_bytes(block.nibbles + 32 * (group / 2) + part * kVectorFloats);
        const IntVector q = group % 2 == 0 ? bytes & 15 : bytes >> 4;
        weights.part[part] = scale * to_float(q | upper(part)) - minimum;
    }
    return weights;
}

inline WeightGroup expand(const BlockQ4_K& block, int group) {
    return expand_group(block, group, [](int) { return IntVector{}; });
}

inline WeightGroup expand(const BlockQ5_K& block, int group) {
    return expand_group(block, group, [&](int part) {
        const IntVector bytes = load_bytes(block.fifth_bits + part * kVectorFloats);
        return ((bytes >> group) & 1) << 4;
    });
}

inline WeightGroup expand(const BlockQ6_K& block, int group) {
    const float scale = float_from_half(block.scale);
    const int half = group / 4, quarter = group % 4;  // 0, 1: the lower four bits; 2, 3 the upper
    WeightGroup weights;
    for (int part = 0; part < kGroupParts; ++part) {
        const int lane = part * kVectorFloats;
        const IntVector bytes = load_bytes(block.nibbles + 64 * half + 32 * (quarter % 2) + lane);
        const IntVector upper = load_bytes(block.upper_bits + 32 * half + lane) >> (2 * quarter);
        const IntVector q = (quarter < 2 ? bytes & 15 : bytes >> 4) | (upper & 3) << 4;
        const int scaled = block.group_scales[2 * group + lane / 16];
        weights.part[part] = scale * static_cast<float>(scaled) * to_float(q - 32);
    }
    return weights;
}

// Calls body(Block{}) with the layout that a type has; false if it is no type of blocks.
template <typename Body>
bool with_block(BlockType type, const Body& body) {
    switch (type) {
        case BlockType::q8_0:
            body(BlockQ8_0{});
            return true;
        case BlockType::q4_0:
            body(BlockQ4_0{});
            return true;
        case BlockType::q4_1:
            body(BlockQ4_1{});
            return true;
        case BlockType::q5_0:
            body(BlockQ5_0{});
            return true;
        case BlockType::q5_1:
            body(BlockQ5_1{});
            return true;
        case BlockType::q4_k:
            body(BlockQ4_K{});
            return true;
        case BlockType::q5_k:
            body(BlockQ5_K{});
            return true;
        case BlockType::q6_k:
            body(BlockQ6_K{});
            return true;
        case BlockType::f32:
        case BlockType::f16:
        case BlockType::bf16:
            return false;
    }
    return false;
}
