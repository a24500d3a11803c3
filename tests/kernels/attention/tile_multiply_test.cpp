// Products of small tiles: against plain loops in double.

#include "kernels/attention/tile_multiply.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Shape {
    int rows, columns, depth;
};

int64_t padded(int64_t columns) {
    return (columns + kVectorFloats - 1) / kVectorFloats * kVectorFloats;
}

// c after tile_multiply, and by plain loops.
std::pair<std::vector<float>, std::vector<double>> products(Shape s, bool transposed,
                                                            bool accumulate) {
    const int64_t width = padded(s.columns);
    const auto a = normal<float>(s.rows * s.depth, 0.0, 1.0, /*seed=*/1);
    const auto b = normal<float>(s.depth * width, 0.0, 1.0, /*seed=*/2);
    auto c = normal<float>(s.rows * width, 0.0, 1.0, /*seed=*/3);
    auto expected = converted<double>(c);
    for (int m = 0; m < s.rows; ++m) {
        for (int n = 0; n < width; ++n) {
            double sum = accumulate ? expected[m * width + n] : 0.0;
            for (int k = 0; k < s.depth; ++k)
                sum += double{a[transposed ? k * s.rows + m : m * s.depth + k]} * b[k * width + n];
            expected[m * width + n] = sum;
        }
    }
    const TileView view =
        transposed ? TileView{a.data(), 1, s.rows} : TileView{a.data(), s.depth, 1};
    tile_multiply(c.data(), width, view, b.data(), width, s.rows, s.columns, s.depth, accumulate);
    return {c, expected};
}

}  // namespace

TEST_CASE("tile_multiply: agrees with plain loops, with either left operand, adding or not") {
    for (const Shape s : {Shape{1, 1, 1},
                          {3, 16, 5},
                          {4, 17, 64},
                          {5, 64, 31},
                          {7, 65, 33},
                          {9, 129, 1},
                          {2, 257, 3},
                          {3, 5, 257},
                          {64, 256, 64}}) {
        CAPTURE(s.rows);
        CAPTURE(s.columns);
        for (const bool transposed : {false, true}) {
            for (const bool accumulate : {false, true}) {
                const auto [actual, expected] = products(s, transposed, accumulate);
                CHECK(max_relative_error(actual, expected) <= 1e-6);  // sums of up to 64 terms
            }
        }
    }
}

TEST_CASE("tile_multiply: nothing to sum over is zero, or what was there") {
    CHECK(products({5, 20, 0}, false, false).first == std::vector<float>(5 * padded(20), 0.0f));
    const auto [kept, expected] = products({5, 20, 0}, false, true);
    CHECK(converted<double>(kept) == expected);
}

// Rows that see a growing number of values, and those that a shrinking number sees.
TEST_CASE("tile_multiply_within: agrees with plain loops and reads nothing beyond the ranges") {
    constexpr int kDepth = 13, kColumns = 20;
    const int64_t width = padded(kColumns);
    for (const int rows : {1, 3, 4, 7, 12}) {
        for (const int offset : {-9, -1, 0, 2, 30}) {
            for (const bool rising_begin : {false, true}) {
                const auto range = [&](int m) {
                    const int edge = std::clamp(m + offset, 0, kDepth);
                    return rising_begin ? TileRange{edge, kDepth} : TileRange{0, edge};
                };
                auto a = normal<float>(rows * kDepth, 0.0, 1.0, /*seed=*/1);
                const auto b = normal<float>(kDepth * width, 0.0, 1.0, /*seed=*/2);
                auto c = normal<float>(rows * width, 0.0, 1.0, /*seed=*/3);
                auto expected = converted<double>(c);
                for (int m = 0; m < rows; ++m) {
                    for (int k = 0; k < kDepth; ++k) {
                        float& left = a[m * kDepth + k];
                        if (k < range(m).begin || k >= range(m).end) left = NAN;
                        if (std::isnan(left)) continue;
                        for (int n = 0; n < width; ++n)
                            expected[m * width + n] += double{left} * b[k * width + n];
                    }
                }
                tile_multiply_within(range, c.data(), width, {a.data(), kDepth, 1}, b.data(), width,
                                     rows, kColumns);
                CAPTURE(rows);
                CAPTURE(offset);
                CHECK(max_relative_error(c, expected) <= 1e-6);  // sums of up to 14 terms
            }
        }
    }
}
