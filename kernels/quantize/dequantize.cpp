#include "kernels/quantize/dequantize.h"

#include <array>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/core/dtype.h"

namespace {

struct TypeRow {
    const char* name;
    int values, bytes;
};
constexpr std::array<TypeRow, 11> kTypes{{{"F32", 1, 4},
                                          {"F16", 1, 2},
                                          {"BF16", 1, 2},
                                          {"Q8_0", kSmallBlock, sizeof(BlockQ8_0)},
                                          {"Q4_0", kSmallBlock, sizeof(BlockQ4_0)},
                                          {"Q4_1", kSmallBlock, sizeof(BlockQ4_1)},
                                          {"Q5_0", kSmallBlock, sizeof(BlockQ5_0)},
                                          {"Q5_1", kSmallBlock, sizeof(BlockQ5_1)},
                                          {"Q4_K", kSuperBlock, sizeof(BlockQ4_K)},
                                          {"Q5_K", kSuperBlock, sizeof(BlockQ5_K)},
                                          {"Q6_K", kSuperBlock, sizeof(BlockQ6_K)}}};

const TypeRow& row_of(BlockType type) { return kTypes.at(static_cast<size_t>(type)); }

int low(uint8_t byte) { return byte & 15; }
int high(uint8_t byte) { return byte >> 4; }
int bit(uint8_t byte, int index) { return (byte >> index) & 1; }

void expand(float value, float* out) { *out = value; }
void expand(bf16 value, float* out) { *out = static_cast<float>(value); }

struct Half {
    uint16_t bits;
};
void expand(Half value, float* out) { *out = float_from_half(value.bits); }

void expand(const BlockQ8_0& block, float* out) {
    const float scale = float_from_half(block.scale);
    for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(block.values[i]);
}

void expand(const BlockQ4_0& block, float* out) {
    const float scale = float_from_half(block.scale);
    for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>(low(block.nibbles[i]) - 8);
        out[16 + i] = scale * static_cast<float>(high(block.nibbles[i]) - 8);
    }
}

void expand(const BlockQ4_1& block, float* out) {
    const float scale = float_from_half(block.scale), minimum = float_from_half(block.minimum);
    for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>(low(block.nibbles[i])) + minimum;
        out[16 + i] = scale * static_cast<float>(high(block.nibbles[i])) + minimum;
    }
}

// The 32 integers of a block whose fifth bits stand apart.
template <typename Block>
std::array<int, 32> five_bits(const Block& block) {
    std::array<int, 32> values{};
    for (int i = 0; i < 16; ++i) {
        values[i] = low(block.nibbles[i]) | bit(block.fifth_bits[i / 8], i % 8) << 4;
        values[16 + i] = high(block.nibbles[i]) | bit(block.fifth_bits[2 + i / 8], i % 8) << 4;
    }
    return values;
}

void expand(const BlockQ5_0& block, float* out) {
    const float scale = float_from_half(block.scale);
    for (const int value : five_bits(block)) *out++ = scale * static_cast<float>(value - 16);
}

void expand(const BlockQ5_1& block, float* out) {
    const float scale = float_from_half(block.scale), minimum = float_from_half(block.minimum);
    for (const int value : five_bits(block)) *out++ = scale * static_cast<float>(value) + minimum;
}

// s and m of one of a block's eight groups.
struct GroupScale {
    int scale, minimum;
};
GroupScale group_scale(const uint8_t (&packed)[12], int group) {
    if (group < 4) return {packed[group] & 63, packed[4 + group] & 63};
    const int upper_scale = packed[group - 4] >> 6, upper_minimum = packed[group] >> 6;
    return {low(packed[4 + group]) | upper_scale << 4,
            high(packed[4 + group]) | upper_minimum << 4};
}

// fifth_bit(group, i) is 0 or 1.
template <typename Block, typename FifthBit>
void expand_groups(const Block& block, FifthBit fifth_bit, float* out) {
    const float scale = float_from_half(block.scale), minimum = float_from_half(block.minimum);
    for (int group = 0; group < 8; ++group) {
        const GroupScale packed = group_scale(block.group_scales, group);
        const float group_scale = scale * static_cast<float>(packed.scale);
        const float group_minimum = minimum * static_cast<float>(packed.minimum);
        for (int i = 0; i < 32; ++i) {
            const uint8_t byte = block.nibbles[32 * (group / 2) + i];
            const int value = (group % 2 == 0 ? low(byte) : high(byte)) | fifth_bit(group, i) << 4;
            *out++ = group_scale * static_cast<float>(value) - group_minimum;
        }
    }
}

void expand(const BlockQ4_K& block, float* out) {
    expand_groups(
        block, [](int, int) { return 0; }, out);
}

void expand(const BlockQ5_K& block, float* out) {
    expand_groups(
        block, [&](int group, int i) { return bit(block.fifth_bits[i], group); }, out);
}

void expand(const BlockQ6_K& block, float* out) {
    const float scale = float_from_half(block.scale);
    for (int index = 0; index < kSuperBlock; ++index) {
        const int half = index / 128, place = index % 128;  // place / 32: 0, 1 low; 2, 3 high
        const uint8_t byte = block.nibbles[64 * half + place % 64];
        const int upper = block.upper_bits[32 * half + place % 32] >> (2 * (place / 32)) & 3;
        const int value = (place < 64 ? low(byte) : high(byte)) | upper << 4;
        const float group_scale = scale * static_cast<float>(block.group_scales[index / 16]);
        out[index] = group_scale * static_cast<float>(value - 32);
    }
}

template <typename Block>
void expand_all(const std::byte* bytes, size_t blocks, int values, float* out) {
    for (size_t index = 0; index < blocks; ++index) {
        Block block;
        std::memcpy(&block, bytes + index * sizeof(Block), sizeof(Block));
        expand(block, out + index * static_cast<size_t>(values));
    }
}

}  // namespace

int values_per_block(BlockType type) { return row_of(type).values; }
int bytes_per_block(BlockType type) { return row_of(type).bytes; }
const char* name_of(BlockType type) { return row_of(type).name; }

void dequantize(BlockType type, std::span<const std::byte> bytes, std::span<float> out) {
    const TypeRow& row = row_of(type);
    const size_t blocks = out.size() / static_cast<size_t>(row.values);
    ENSURE(out.size() % static_cast<size_t>(row.values) == 0 &&
               bytes.size() == blocks * static_cast<size_t>(row.bytes),
           "dequantize: {} bytes of {} for {} weights", bytes.size(), row.name, out.size());
    const auto run = [&]<typename Block>(Block) {
        expand_all<Block>(bytes.data(), blocks, row.values, out.data());
    };
    switch (type) {
        case BlockType::f32:
            return run(float{});
        case BlockType::f16:
            return run(Half{});
        case BlockType::bf16:
            return run(bf16{});
        case BlockType::q8_0:
            return run(BlockQ8_0{});
        case BlockType::q4_0:
            return run(BlockQ4_0{});
        case BlockType::q4_1:
            return run(BlockQ4_1{});
        case BlockType::q5_0:
            return run(BlockQ5_0{});
        case BlockType::q5_1:
            return run(BlockQ5_1{});
        case BlockType::q4_k:
            return run(BlockQ4_K{});
        case BlockType::q5_k:
            return run(BlockQ5_K{});
        case BlockType::q6_k:
            return run(BlockQ6_K{});
    }
}
