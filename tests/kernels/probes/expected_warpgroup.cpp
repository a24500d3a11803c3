// What products of warpgroups leave: small integers, whose sums are exact in any order.

#include <bit>
#include <random>

#include "kernels/core/dtype.h"
#include "tests/kernels/probes/probe.h"
#include "tests/support/fragment_tables.h"

namespace {

constexpr int kRows = 64, kWarpRows = 16, kLanes = 32, kBoxColumns = 64;

struct Matrix {
    int rows = 0, columns = 0;
    std::vector<int> values;

    int at(int row, int column) const {
        return values[static_cast<size_t>(row) * static_cast<size_t>(columns) +
                      static_cast<size_t>(column)];
    }
    uint32_t pair_at(int row, int column) const {
        const auto bits = [&](int c) { return uint32_t{bf16(float(at(row, c))).bits}; };
        return bits(column) | bits(column + 1) << 16;
    }
};
// Numbers from -8 to 7.
Matrix random_matrix(int rows, int columns, uint32_t seed) {
    Matrix matrix{.rows = rows, .columns = columns, .values = {}};
    std::mt19937 generator(seed);
    for (int i = 0; i < rows * columns; ++i)
        matrix.values.push_back(static_cast<int>(generator() >> 28) - 8);
    return matrix;
}
// Columns [first, first + kBoxColumns), row after row.
void append_box(std::vector<uint32_t>& words, const Matrix& matrix, int first) {
    for (int row = 0; row < matrix.rows; ++row)
        for (int column = first; column < first + kBoxColumns; column += 2)
            words.push_back(matrix.pair_at(row, column));
}

// A row of lanes, each with so many words.
size_t word_of(int row_of_lanes, int lane, int words, int word) {
    return static_cast<size_t>((row_of_lanes * kLanes + lane) * words + word);
}

// The sums of a warpgroup's threads: of each 8 columns, those of mma.m16n8k16 in every warp.
template <typename Value>
std::vector<Allowed> sums_of(int columns, const Value& value) {
    const int fragments = columns / 8;
    std::vector<Allowed> words(static_cast<size_t>(kRows) * static_cast<size_t>(columns));
    for (int row = 0; row < kRows; ++row)
        for (int column = 0; column < columns; ++column) {
            const int code = fragment_tables::kSums[row % kWarpRows][column % 8 / 2];
            const int word = column / 8 * 4 + code / 100 + column % 2;
            words[word_of(row / kWarpRows, code % 100, 4 * fragments, word)] = {
                std::bit_cast<uint32_t>(float(value(row, column)))};
        }
    return words;
}

// Of operands of 64 columns in shared memory, the product of the first `depth`.
Probe from_shared(const std::string& name, int columns, int depth) {
    const Matrix left = random_matrix(kRows, kBoxColumns, 1);
    const Matrix right = random_matrix(columns, kBoxColumns, 2);
    Probe probe{.name = name,
                .source =
                    "PTX ISA 9.0, \"wgmma.mma_async\": accumulator fragment D, matrix "
                    "descriptor, strides",
                .input = {},
                .expected = sums_of(columns, [&](int row, int column) {
                    int sum = 0;
                    for (int k = 0; k < depth; ++k) sum += left.at(row, k) * right.at(column, k);
                    return sum;
                })};
    append_box(probe.input, left, 0);
    append_box(probe.input, right, 0);
    return probe;
}

// The fragments of every warp and step of 16 columns.
std::vector<uint32_t> fragments_of(const Matrix& left) {
    const int steps = left.columns / 16;
    std::vector<uint32_t> words(left.values.size() / 2);
    for (int row = 0; row < kRows; ++row)
        for (int column = 0; column < left.columns; column += 2) {
            const int code = fragment_tables::kA[row % kWarpRows][column % 16 / 2];
            words[word_of(row / kWarpRows * steps + column / 16, code % 100, 4, code / 100)] =
                left.pair_at(row, column);
        }
    return words;
}

// One and the product of a left operand in registers and a right one whose rows are k.
Probe from_registers(const std::string& name, int columns) {
    constexpr int kDepth = 128;
    const Matrix left = random_matrix(kRows, kDepth, 3);
    const Matrix right = random_matrix(kDepth, columns, 4);
    Probe probe{.name = name,
                .source =
                    "PTX ISA 9.0, \"wgmma.mma_async\": register fragment A, imm-trans-b, "
                    "leading dimension byte offset",
                .input = fragments_of(left),
                .expected = sums_of(columns, [&](int row, int column) {
                    int sum = 1;
                    for (int k = 0; k < kDepth; ++k) sum += left.at(row, k) * right.at(k, column);
                    return sum;
                })};
    for (int column = 0; column < columns; column += kBoxColumns)
        append_box(probe.input, right, column);
    return probe;
}

// Thread t digests 192 words, or 16 in the last warpgroup, from its own on.
Probe registers() {
    constexpr size_t kThreads = 384, kTakers = 256, kMany = 192, kFew = 16;
    Probe probe{
        .name = "setmaxnreg", .source = "PTX ISA 9.0, \"setmaxnreg\"", .input = {}, .expected = {}};
    for (uint32_t i = 0; i < kThreads + kMany; ++i) probe.input.push_back(0x01020304u * (i + 1));
    for (size_t t = 0; t < kThreads; ++t) {
        uint32_t sum = 0;
        for (size_t i = 0; i < (t < kTakers ? kMany : kFew); ++i)
            sum = 31 * sum + probe.input[t + i];
        probe.expected.push_back({sum});
    }
    return probe;
}

Probe named_barrier() {
    Probe probe{.name = "named_barrier",
                .source = "PTX ISA 9.0, \"bar\": bar.sync, bar.arrive",
                .input = {},
                .expected = {}};
    for (uint32_t round = 0; round < 4; ++round)
        for (uint32_t i = 0; i < 64; ++i) probe.expected.push_back({1000 * round + 63 - i});
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_warpgroup() {
    return {from_shared("wgmma", 64, 16),
            from_shared("wgmma_steps", 64, 64),
            from_shared("wgmma_n128", 128, 64),
            from_shared("wgmma_box", 64, 64),
            from_registers("wgmma_registers", 64),
            from_registers("wgmma_registers_n128", 128),
            registers(),
            named_barrier()};
}
