// What boxes of a matrix look like in shared memory.

#include "tests/kernels/probes/probe.h"
#include "tests/support/fragment_tables.h"

namespace {

constexpr int kRows = 20, kColumns = 72, kBoxRows = 16, kBoxColumns = 64;
constexpr int kChunk = 8;  // elements that the swizzle moves together

uint32_t element(int row, int column) {
    const bool is_inside = row >= 0 && row < kRows && column >= 0 && column < kColumns;
    return is_inside ? uint32_t(100 * row + column + 1) : 0;
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
            const int chunk = fragment_tables::kSwizzle[row % 8][place / kChunk];
            const int column = first_column + chunk * kChunk + place % kChunk;
            probe.expected.push_back(
                {element(first_row + row, column) | element(first_row + row, column + 1) << 16});
        }
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_boxes() {
    return {box("box", 8, 3), box("box_before", -8, -5), box("box_behind", 24, 10),
            box("box_outside", 16, 40)};
}
