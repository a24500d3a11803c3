// Quantised blocks: the weights are those of the gguf package, bit for bit.

#include "kernels/quantize/dequantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/core/check.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_type.h"
#include "tests/support/doctest.h"
#include "tests/support/random_blocks.h"

namespace {

constexpr BlockType kAll[] = {BlockType::f32,  BlockType::f16,  BlockType::bf16, BlockType::q8_0,
                              BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1,
                              BlockType::q4_k, BlockType::q5_k, BlockType::q6_k};

}  // namespace

TEST_CASE("dequantize: random blocks become the weights that the gguf package reads, bit for bit") {
    // scripts/make_golden_quantize.py
    const SafetensorsFile golden("tests/golden/quantize.safetensors");
    for (const BlockType type : kAll) {
        if (type == BlockType::f32) continue;
        CAPTURE(name_of(type));
        const StoredTensor* blocks = golden.find(std::string(name_of(type)) + ".blocks");
        const StoredTensor* weights = golden.find(std::string(name_of(type)) + ".weights");
        REQUIRE(blocks != nullptr);
        REQUIRE(weights != nullptr);
        REQUIRE(weights->count > 0);
        std::vector<float> out(static_cast<size_t>(weights->count));
        dequantize(type, blocks->bytes, out);
        CHECK(std::memcmp(out.data(), weights->bytes.data(), weights->bytes.size()) == 0);
    }
}

TEST_CASE("dequantize: f32 is copied, from any address") {
    const float values[] = {1.5f, -0.0f, 1e-45f, 3e38f};
    std::byte bytes[1 + sizeof(values)];
    std::memcpy(bytes + 1, values, sizeof(values));
    float out[4];
    dequantize(BlockType::f32, std::span(bytes).subspan(1), out);
    CHECK(std::memcmp(out, values, sizeof(values)) == 0);
}

TEST_CASE("dequantize: no blocks are fine, parts of blocks and missing bytes an error") {
    for (const BlockType type : kAll) {
        CAPTURE(name_of(type));
        const auto values = static_cast<size_t>(values_per_block(type));
        const auto bytes = static_cast<size_t>(bytes_per_block(type));
        const std::vector<std::byte> block(2 * bytes);
        std::vector<float> out(2 * values);
        const std::span<const std::byte> input(block);
        const std::span<float> output(out);
        CHECK_NOTHROW(dequantize(type, {}, {}));
        CHECK_NOTHROW(dequantize(type, input, output));
        CHECK_THROWS_AS(dequantize(type, input.first(bytes), output), Error);
        CHECK_THROWS_AS(dequantize(type, input, output.first(values)), Error);
        CHECK_THROWS_AS(dequantize(type, input.first(2 * bytes - 1), output), Error);
        if (values > 1) CHECK_THROWS_AS(dequantize(type, input, output.first(values + 1)), Error);
    }
}

TEST_CASE("find_bad_block: the first block whose weights are not finite, and none otherwise") {
    for (const BlockType type : kQuantizedTypes) {
        CAPTURE(name_of(type));
        const auto block = static_cast<size_t>(bytes_per_block(type));
        const size_t scale_at = type == BlockType::q6_k ? block - 2 : 0;
        std::vector<std::byte> bytes = random_blocks(type, 5 * 256, /*seed=*/1);
        CHECK_FALSE(find_bad_block(type, bytes));
        bytes[3 * block + scale_at + 1] = std::byte{0x7c};  // infinity, or not a number
        CHECK(find_bad_block(type, bytes) == 3);
        std::vector<float> weights(5 * 256);
        dequantize(type, bytes, weights);
        const auto per_block = static_cast<int64_t>(values_per_block(type));
        const auto bad = std::find_if(weights.begin(), weights.end(),
                                      [](float weight) { return !std::isfinite(weight); });
        CHECK((bad - weights.begin()) / per_block == 3);
    }
}
