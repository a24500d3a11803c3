// What ldmatrix, stmatrix, mma.sync and conversions to bf16 leave.

#include <algorithm>
#include <bit>
#include <limits>

#include "kernels/core/dtype.h"
#include "tests/kernels/probes/probe.h"
#include "tests/support/fragment_tables.h"

namespace {

using namespace fragment_tables;

constexpr int kMatrixCounts[] = {1, 2, 4};

// Element (row, column) of matrix m. All differ.
uint32_t element(int m, int row, int column) {
    return uint32_t(0x1000 + 64 * m + 8 * row + column);
}
uint32_t pair(uint32_t low, uint32_t high) { return low | high << 16; }

// The first `count` of four matrices as rows of pairs, [4, 8, 4], or as the registers that lanes
// hold, [32, 4]; zeros for the others.
std::vector<uint32_t> as_rows(int count) {
    std::vector<uint32_t> out(128);
    for (int m = 0; m < count; ++m)
        for (int row = 0; row < 8; ++row)
            for (int p = 0; p < 4; ++p)
                out[m * 32 + row * 4 + p] =
                    pair(element(m, row, 2 * p), element(m, row, 2 * p + 1));
    return out;
}
std::vector<uint32_t> as_registers(int count, bool transposed) {
    std::vector<uint32_t> out(128);
    for (int m = 0; m < count; ++m)
        for (int i = 0; i < 8; ++i)
            for (int p = 0; p < 4; ++p) {
                if (transposed)
                    out[kTransposed[p][i] * 4 + m] =
                        pair(element(m, 2 * p, i), element(m, 2 * p + 1, i));
                else
                    out[kMatrix[i][p] * 4 + m] =
                        pair(element(m, i, 2 * p), element(m, i, 2 * p + 1));
            }
    return out;
}

void append(std::vector<Allowed>& to, const std::vector<uint32_t>& words) {
    for (const uint32_t word : words) to.push_back({word});
}

Probe ldmatrix() {
    Probe probe{.name = "ldmatrix",
                .source = "PTX ISA 9.0, \"ldmatrix\"",
                .input = as_rows(4),
                .expected = {}};
    for (const bool transposed : {false, true})
        for (const int count : kMatrixCounts)
            append(probe.expected, as_registers(count, transposed));
    return probe;
}

Probe stmatrix() {
    Probe probe{.name = "stmatrix",
                .source = "PTX ISA 9.0, \"stmatrix\"",
                .input = as_registers(4, false),
                .expected = {}};
    const auto transposed = as_registers(4, true);
    probe.input.insert(probe.input.end(), transposed.begin(), transposed.end());
    for (int form = 0; form < 2; ++form)
        for (const int count : kMatrixCounts) append(probe.expected, as_rows(count));
    return probe;
}

// ---- mma ----

struct Product {
    double a[16][16] = {}, b[16][8] = {}, c[16][8] = {};
};

uint16_t bits_of(double value) { return bf16(float(value)).bits; }
uint32_t word_of(double value) { return std::bit_cast<uint32_t>(float(value)); }
size_t at(int place, int registers) { return size_t(place % 100 * registers + place / 100); }

// What probe_mma reads of it: [32, 4], [32, 2], [32, 4].
void append_fragments(std::vector<uint32_t>& to, const Product& product) {
    std::vector<uint32_t> a(128), b(64), c(128);
    for (int row = 0; row < 16; ++row)
        for (int p = 0; p < 8; ++p)
            a[at(kA[row][p], 4)] =
                pair(bits_of(product.a[row][2 * p]), bits_of(product.a[row][2 * p + 1]));
    for (int p = 0; p < 8; ++p)
        for (int n = 0; n < 8; ++n)
            b[at(kB[p][n], 2)] =
                pair(bits_of(product.b[2 * p][n]), bits_of(product.b[2 * p + 1][n]));
    for (int row = 0; row < 16; ++row)
        for (int n = 0; n < 8; ++n)
            c[at(kSums[row][n / 2], 4) + size_t(n % 2)] = word_of(product.c[row][n]);
    for (const auto& part : {a, b, c}) to.insert(to.end(), part.begin(), part.end());
}

// Calls allowed(row, column) for each sum, and puts it where the fragment has it.
template <typename F>
void append_sums(std::vector<Allowed>& to, const F& allowed) {
    std::vector<Allowed> sums(128);
    for (int row = 0; row < 16; ++row)
        for (int n = 0; n < 8; ++n)
            sums[at(kSums[row][n / 2], 4) + size_t(n % 2)] = allowed(row, n);
    to.insert(to.end(), sums.begin(), sums.end());
}

double sum_of(const Product& product, int row, int n) {
    double sum = product.c[row][n];
    for (int k = 0; k < 16; ++k) sum += product.a[row][k] * product.b[k][n];
    return sum;
}

// Whole numbers that are exact in any order of adding: a times the halves of the unit matrix, which
// shows every element of a; the unit matrix times b; then all of them at once.
Probe mma_layout() {
    Probe probe{.name = "mma_layout",
                .source = "PTX ISA 9.0, \"Matrix fragments for mma.m16n8k16\"",
                .input = {4},
                .expected = {}};
    for (int kind = 0; kind < 4; ++kind) {
        Product product;
        for (int row = 0; row < 16; ++row)
            for (int k = 0; k < 16; ++k)
                product.a[row][k] = kind == 2 ? double(row == k) : 16 * row + k;
        for (int k = 0; k < 16; ++k)
            for (int n = 0; n < 8; ++n)
                product.b[k][n] = kind < 2 ? double(k == n + 8 * kind) : 8 * k + n + 1;
        for (int row = 0; row < 16; ++row)
            for (int n = 0; n < 8; ++n) product.c[row][n] = kind < 3 ? 0 : 65536 * (8 * row + n);
        append_fragments(probe.input, product);
        append_sums(probe.expected,
                    [&](int row, int n) { return Allowed{word_of(sum_of(product, row, n))}; });
    }
    return probe;
}

// Sums that show how a chip rounds: one row is one list of terms, one column what is there before.
// The ISA leaves order and precision open ("at least single precision"); cutting each of 17 terms
// to 24 bits below the largest, and each of two sums to a float, stays within the error.
Probe mma_rounding() {
    Probe probe{.name = "mma_rounding",
                .source = "PTX ISA 9.0, \"mma\": no order, at least single precision",
                .input = {1},
                .expected = {}};
    constexpr double u = 0x1p-24;  // half a unit in the last place of 1
    const std::vector<double> rows[16] = {
        {u},
        {0.75 * u},
        {1.25 * u},
        {-0.5 * u},
        {-1.25 * u},
        {u, u},
        {u / 2, u / 2, u / 2, u / 2},
        std::vector<double>(16, u / 8),
        {1, -1, u},
        {u, 1, -1},
        {0x1p8, -0x1p8, 0x1p-16},
        {0x1p-16, 0, 0, 0, 0, 0, 0, 0x1p8, -0x1p8},  // the large ones in different halves of k
        {0x1p-16, 0, 0, 0, 0, 0, 0, 0, 0x1p8, -0x1p8},
        std::vector<double>(16, 1 + 0x1p-7),
        {1, -0x1p-3, 0x1p-6, -0x1p-9, 0x1p-12, -0x1p-15, 0x1p-18, -0x1p-21, 0x1p-24, -0x1p-27},
        {0x1p-27, -0x1p-24, 0x1p-21, -0x1p-18, 0x1p-15, -0x1p-12, 0x1p-9, -0x1p-6, 0x1p-3, -1},
    };
    constexpr double kBefore[8] = {0, 1, 1 + 2 * u, -1, -1 - 2 * u, 0.75, 0x1p-10, 2.5};
    Product product;
    for (int row = 0; row < 16; ++row) {
        std::copy(rows[row].begin(), rows[row].end(), product.a[row]);
        std::copy_n(kBefore, 8, product.c[row]);
    }
    for (auto& row : product.b) std::fill_n(row, 8, 1.0);
    append_fragments(probe.input, product);
    append_sums(probe.expected, [&](int row, int n) {  // sums of doubles: exact here
        double largest = std::abs(kBefore[n]), total = largest;
        for (const double term : rows[row]) {
            largest = std::max(largest, std::abs(term));
            total += std::abs(term);
        }
        return Allowed{word_of(sum_of(product, row, n)), 0x1p-23 * (17 * largest + 2 * total)};
    });
    return probe;
}

// One product each, of infinities, NaNs, zeros, the largest and the smallest.
Probe mma_special() {
    Probe probe{.name = "mma_special",
                .source = "IEEE 754, subnormal results perhaps zeros",
                .input = {1},
                .expected = {}};
    constexpr double inf = std::numeric_limits<double>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double largest = 0x1.fep127, subnormal = 0x1p-133;
    constexpr double kLeft[16] = {0,        -0.0,     1,         -1,
                                  inf,      -inf,     nan,       largest,
                                  -largest, 0x1p-126, subnormal, 127 * subnormal,
                                  0x1p-100, 0x1p100,  3,         -0x1.8p-63};
    constexpr double kRight[8] = {0, 1, -inf, nan, largest, -0x1p-126, subnormal, 0x1.8p-10};
    Product product;
    for (int row = 0; row < 16; ++row) product.a[row][0] = kLeft[row];
    for (int n = 0; n < 8; ++n) product.b[0][n] = kRight[n];
    append_fragments(probe.input, product);
    append_sums(probe.expected, [&](int row, int n) {
        const double exact = kLeft[row] * kRight[n];
        if (std::isnan(exact)) return Allowed{word_of(exact), 1.0};  // any NaN
        if (std::abs(exact) < 0x1p-126) return Allowed{word_of(exact), 0x1p-126};
        return Allowed{word_of(exact)};
    });
    return probe;
}

// ---- bf16 ----

uint32_t nearest_even(uint32_t word) {
    const uint32_t below = word >> 16, rest = word & 0xffff;
    const bool goes_up = rest > 0x8000 || (rest == 0x8000 && below % 2 == 1);
    return below + (goes_up ? 1 : 0);
}
bool is_nan(uint32_t word) { return (word & 0x7f800000) == 0x7f800000 && (word & 0x7fffff) != 0; }

Probe bf16_conversion() {
    Probe probe{.name = "bf16",
                .source = "PTX ISA 9.0, \"cvt\": .rn, NaN is 0x7fff",
                .input = {0x00000000, 0x80000000, 0x3f800000, 0x3f808000, 0x3f808001, 0x3f818000,
                          0x3f817fff, 0xbf808000, 0xbf818000, 0x7f7fffff, 0x7f7f8000, 0x7f7f7fff,
                          0x7f800000, 0xff800000, 0x7f800001, 0x7f80ffff, 0x7fc00000, 0xffc12345,
                          0x7fffffff, 0xff810000, 0x00000001, 0x00008000, 0x00008001, 0x00018000,
                          0x007fffff, 0x00800000, 0x80008000, 0x807fffff, 0x40490fdb, 0xc2f70000,
                          0x33d6bf95, 0x4b7fffff},
                .expected = {}};
    const auto packed = [](uint32_t word) { return is_nan(word) ? 0x7fff : nearest_even(word); };
    for (size_t i = 0; i < 32; ++i) {
        const uint32_t word = probe.input[i];
        probe.expected.push_back({pair(packed(word), packed(probe.input[31 - i]))});
        // dtype.h keeps a NaN's sign and upper bits, and makes it quiet.
        probe.expected.push_back({is_nan(word) ? word >> 16 | 0x40 : nearest_even(word)});
    }
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_matrix() {
    return {ldmatrix(), stmatrix(), mma_layout(), mma_rounding(), mma_special(), bf16_conversion()};
}
