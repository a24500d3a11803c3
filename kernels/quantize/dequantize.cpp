#include "kernels/quantize/dequantize.h"

#include <array>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/core/dtype.h"
#include "kernels/quantize/expand.h"
#include "kernels/quantize/half.h"

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

template <typename Block>
void expand_all(std::span<const std::byte> bytes, float* out) {
    constexpr int kGroups = kValues<Block> / kGroupWeights;
    for (size_t at = 0; at < bytes.size(); at += sizeof(Block)) {
        const Block& block = *reinterpret_cast<const Block*>(bytes.data() + at);
        for (int group = 0; group < kGroups; ++group, out += kGroupWeights) {
            const WeightGroup weights = expand(block, group);
            std::memcpy(out, &weights, sizeof weights);
        }
    }
}

bool is_finite(uint16_t half) { return (half & 0x7c00u) != 0x7c00u; }

// A finite half times the integers of a block stays far below the largest float.
template <typename Block>
bool is_finite(const Block& block) {
    if constexpr (requires { block.minimum; })
        return is_finite(block.scale) && is_finite(block.minimum);
    else
        return is_finite(block.scale);
}

// Types without blocks: each weight is Stored.
template <typename Stored, typename Convert>
void convert_all(std::span<const std::byte> bytes, float* out, const Convert& convert) {
    for (size_t at = 0; at < bytes.size(); at += sizeof(Stored)) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + at, sizeof(Stored));
        *out++ = convert(stored);
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
    const auto run = [&]<typename Block>(Block) { expand_all<Block>(bytes, out.data()); };
    if (with_block(type, run)) return;
    if (type == BlockType::f32)
        convert_all<float>(bytes, out.data(), [](float weight) { return weight; });
    if (type == BlockType::f16) convert_all<uint16_t>(bytes, out.data(), float_from_half);
    if (type == BlockType::bf16)
        convert_all<bf16>(bytes, out.data(),
                          [](bf16 weight) { return static_cast<float>(weight); });
}

std::optional<int64_t> find_bad_block(BlockType type, std::span<const std::byte> bytes) {
    std::optional<int64_t> bad;
    with_block(type, [&]<typename Block>(Block) {
        for (size_t at = 0; at < bytes.size() && !bad; at += sizeof(Block))
            if (!is_finite(*reinterpret_cast<const Block*>(bytes.data() + at)))
                bad = static_cast<int64_t>(at / sizeof(Block));
    });
    return bad;
}
