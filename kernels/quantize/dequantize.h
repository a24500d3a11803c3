// Blocks of quantised weights, in the layouts that ggml made common, and the values they stand for.
//
// A row of weights is cut into blocks of 32 or 256. Each block holds small integers q and one or
// two halves (IEEE, 16 bits) that turn them into weights; blocks of 256 scale their groups again:
//
//   Q8_0              w = scale * q                                    q in -128 .. 127
//   Q4_0, Q5_0        w = scale * (q - 8), scale * (q - 16)            q of 4 or 5 bits
//   Q4_1, Q5_1        w = scale * q + minimum                          likewise
//   Q4_K, Q5_K        w = scale * s * q - minimum * m                  s, m: 6 bits, a group of 32
//   Q6_K              w = scale * s * (q - 32)                         s: int8, a group of 16
//
// Numerics  Every product is exact in float: at most 11 + 7 + 6 bits. So each weight is rounded at
//           most once, in the addition, and comes out the same with and without fused
//           multiply-add: bit for bit what ggml's own reference computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

enum class BlockType { f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k };

int values_per_block(BlockType type);  // 1 for f32, f16 and bf16
int bytes_per_block(BlockType type);
const char* name_of(BlockType type);  // "Q4_K"

inline constexpr int kSmallBlock = 32;   // weights a block of Q8_0 ... Q5_1
inline constexpr int kSuperBlock = 256;  // weights a block of Q4_K ... Q6_K

// Where two weights share a byte, the earlier one has the lower four bits. Packed: a block may lie
// at any address.
struct [[gnu::packed]] BlockQ8_0 {
    uint16_t scale;
    int8_t values[32];
};
struct [[gnu::packed]] BlockQ4_0 {
    uint16_t scale;
    uint8_t nibbles[16];  // byte i: weights i and 16 + i
};
struct [[gnu::packed]] BlockQ4_1 {
    uint16_t scale, minimum;
    uint8_t nibbles[16];
};
struct [[gnu::packed]] BlockQ5_0 {
    uint16_t scale;
    uint8_t fifth_bits[4];  // bit i of the 32, the lowest byte first: the fifth bit of weight i
    uint8_t nibbles[16];
};
struct [[gnu::packed]] BlockQ5_1 {
    uint16_t scale, minimum;
    uint8_t fifth_bits[4];
    uint8_t nibbles[16];
};
struct [[gnu::packed]] BlockQ4_K {
    uint16_t scale, minimum;
    // Eight pairs of 6 bits. Groups 0 .. 3: s in the lower six bits of bytes 0 .. 3, m of bytes
    // 4 .. 7. Groups 4 .. 7: four bits of s and of m in bytes 8 .. 11, their upper two bits in the
    // upper two bits of bytes 0 .. 3 and 4 .. 7.
    uint8_t group_scales[12];
    uint8_t nibbles[128];  // byte 32 p + i: weight i of group 2 p and of group 2 p + 1
};
struct [[gnu::packed]] BlockQ5_K {
    uint16_t scale, minimum;
    uint8_t group_scales[12];
    uint8_t fifth_bits[32];  // bit g of byte i: weight i of group g
    uint8_t nibbles[128];
};
struct [[gnu::packed]] BlockQ6_K {
    uint8_t nibbles[128];    // byte 64 h + i: weights i and 64 + i of half h
    uint8_t upper_bits[64];  // byte 32 h + i: two bits each of weights i, 32 + i, 64 + i, 96 + i
    int8_t group_scales[16];
    uint16_t scale;
};
static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 &&
              sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockQ4_K) == 144 &&
              sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

// Writes the weights of whole blocks: out.size() / values_per_block(type) of them lie at `bytes`,
// which need not be aligned. Sizes that do not fit are an Error.
void dequantize(BlockType type, std::span<const std::byte> bytes, std::span<float> out);

// The first block, of a type of blocks, with a scale or minimum that is not finite: its weights
// are not either, and those of all others are.
std::optional<int64_t> find_bad_block(BlockType type, std::span<const std::byte> bytes);
