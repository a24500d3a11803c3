// What warpgroup products, bulk stores, named barriers and changed registers leave.

#include <bit>

#include "kernels/core/dtype.h"
#include "tests/kernels/probes/probe.h"

namespace {

// Whole numbers from -8 to 8, so that sums of 64 products are exact.
int left_at(int row, int k) { return (37 * row + 11 * k + row * k) % 17 - 8; }
int right_at(int column, int k) { return (29 * column + 5 * k + 3 * column * k) % 17 - 8; }

uint32_t pair(int low, int high) {
    return uint32_t(bf16(float(low)).bits) | uint32_t(bf16(float(high)).bits) << 16;
}

// Sums of products of [64, 64] and [64, n], plus what they are added to.
std::vector<Allowed> products(int n, int before) {
    std::vector<Allowed> words;
    for (int row = 0; row < 64; ++row)
        for (int column = 0; column < n; ++column) {
            int sum = before;
            for (int k = 0; k < 64; ++k) sum += left_at(row, k) * right_at(column, k);
            words.push_back({std::bit_cast<uint32_t>(float(sum))});
        }
    return words;
}

// Left row by row; right column by column, or, transposed, by k.
Probe product(const std::string& name, int n, bool is_transposed) {
    Probe probe{.name = name,
                .source = "PTX ISA 9.0, \"wgmma.mma_async\" and \"Matrix descriptor\"",
                .input = {},
                .expected = products(n, is_transposed ? 1 : 0)};
    for (int row = 0; row < 64; ++row)
        for (int k = 0; k < 64; k += 2)
            probe.input.push_back(pair(left_at(row, k), left_at(row, k + 1)));
    if (is_transposed) {
        for (int k = 0; k < 64; ++k)
            for (int column = 0; column < n; column += 2)
                probe.input.push_back(pair(right_at(column, k), right_at(column + 1, k)));
    } else {
        for (int column = 0; column < n; ++column)
            for (int k = 0; k < 64; k += 2)
                probe.input.push_back(pair(right_at(column, k), right_at(column, k + 1)));
    }
    return probe;
}

uint32_t word_at(int i) { return 0x9e3779b9u * uint32_t(i + 1); }

// out[i] = factor in[from(i)]
template <typename From>
Probe words(const std::string& name, const std::string& source, int count, uint32_t factor,
            const From& from) {
    Probe probe{.name = name, .source = source, .input = {}, .expected = {}};
    for (int i = 0; i < count; ++i) {
        probe.input.push_back(word_at(i));
        probe.expected.push_back({factor * word_at(from(i))});
    }
    return probe;
}

Probe store_box() {
    constexpr int kRows = 20, kColumns = 72, kFirstRow = 10, kFirstColumn = 24;
    Probe probe{.name = "store_box",
                .source = "PTX ISA 9.0, \"Tensors\": swizzling modes, out of boundary access",
                .input = {},
                .expected = {}};
    for (int i = 0; i < 16 * 32; ++i) probe.input.push_back(word_at(i));
    for (int row = 0; row < kRows; ++row)
        for (int column = 0; column < kColumns; column += 2) {
            const int r = row - kFirstRow, c = column - kFirstColumn;
            probe.expected.push_back({r >= 0 && c >= 0 ? word_at(32 * r + c / 2) : 0});
        }
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_warpgroup() {
    return {product("product_n64", 64, false),
            product("product_n128", 128, false),
            product("product_of_registers_n64", 64, true),
            product("product_of_registers_n128", 128, true),
            words("store_bytes", "PTX ISA 9.0, \"cp.async.bulk\"", 64, 1, [](int i) { return i; }),
            store_box(),
            words("named_barrier", "PTX ISA 9.0, \"barrier\"", 64, 1, [](int i) { return 63 - i; }),
            words("registers", "PTX ISA 9.0, \"setmaxnreg\"", 384, 3, [](int i) { return i; })};
}
