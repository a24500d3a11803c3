// What boxes of a matrix look like in shared memory, and stored ones in the matrix.

#include "tests/kernels/probes/probe.h"
#include "tests/support/fragment_tables.h"

namespace {

constexpr int kRows = 20, kColumns = 72, kBoxRows = 16, kBoxColumns = 64;
constexpr int kChunk = 8;  // elements that the swizzle moves together

uint32_t element(int row, int column) {
    const bool is_inside = row >= 0 && row < kRows && column >= 0 && column < kColumns;
    return is_inside ? uint32_t(100 * row + column + 1) : 0;
}

// The column of a box whose element lies at `place` of its row.
int column_at(int row, int place) {
    return fragment_tables::kSwizzle[row % 8][place / kChunk] * kChunk + place % kChunk;
}

Probe box(const std::string& name, int first_column, int first_row) {
    Probe probe{.name = name,
                .source = "PTX ISA 9.0, \"Tensors\": swizzling modes, out of boundary access",
                .input = {},
                .expected = {}};
    for (int row = 0; row < kRows; ++row)
        for (int column = 0; column < kColumns; column += 2)
            probe.input.push_back(element(row, column) | element(row, column + 1) << 16);
    for (int row = 0; row < kBoxRows; ++row)
        for (int place = 0; place < kBoxColumns; place += 2) {
            const int column = first_column + column_at(row, place);
            probe.expected.push_back(
                {element(first_row + row, column) | element(first_row + row, column + 1) << 16});
        }
    return probe;
}

// A matrix of ones in every bit, but where the box of numbers from 1 on has been stored.
Probe store_box(const std::string& name, int first_column, int first_row) {
    Probe probe{
        .name = name,
        .source = "PTX ISA 9.0, \"cp.async.bulk.tensor\": shared to global; swizzling modes",
        .input = {},
        .expected = {}};
    const auto number = [](int row, int column) {
        return uint32_t(row * kBoxColumns + column + 1);
    };
    for (int row = 0; row < kBoxRows; ++row)
        for (int place = 0; place < kBoxColumns; place += 2)
            probe.input.push_back(number(row, column_at(row, place)) |
                                  number(row, column_at(row, place + 1)) << 16);
    const auto stored = [&](int row, int column) {
        row -= first_row, column -= first_column;
        const bool is_inside = row >= 0 && row < kBoxRows && column >= 0 && column < kBoxColumns;
        return is_inside ? number(row, column) : 0xffffu;
    };
    for (int row = 0; row < kRows; ++row)
        for (int column = 0; column < kColumns; column += 2)
            probe.expected.push_back({stored(row, column) | stored(row, column + 1) << 16});
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_boxes() {
    return {box("box", 8, 3),
            box("box_before", -8, -5),
            box("box_behind", 24, 10),
            box("box_outside", 16, 40),
            box("box_prefetched", 8, 3),
            store_box("store_box", 8, 3),
            store_box("store_box_before", -8, -5),
            store_box("store_box_behind", 24, 10)};
}
