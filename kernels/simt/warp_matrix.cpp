#include "kernels/simt/warp_matrix.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/product_registers.h"
#include "kernels/simt/profile.h"
#include "kernels/simt/simt.h"

namespace simt {
namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;
constexpr int kRows = 8;  // of a matrix, and as many columns
constexpr size_t kRowBytes = 16;

// What every lane brings begins with where it stands: they must stand at one line.
struct Argument {
    Place place;
};
struct Move : Argument {
    uint32_t* registers;
    unsigned char* row;
};
struct Multiply : Argument {
    float* sums;
    const uint32_t* a;
    const uint32_t* b;
};

Thread& lane_of_warp(int lane) {
    return block->threads[block->current->warp * kLanesPerWarp + lane];
}

template <typename T>
const T& argument(void** arguments, int lane) {
    return *static_cast<const T*>(arguments[lane]);
}

template <typename T>
void check_one_line(void** arguments) {
    const Place first = argument<T>(arguments, 0).place;
    for (int lane = 1; lane < kLanesPerWarp; ++lane) {
        const Place place = argument<T>(arguments, lane).place;
        if (place == first) continue;
        fail(fmt::format("{} at {} meets lane 0 of its warp at {}", name_of(lane_of_warp(lane)),
                         place.text(), first.text()));
    }
}

void check_row(const Move& move, int lane) {
    const Thread& thread = lane_of_warp(lane);
    if (reinterpret_cast<uintptr_t>(move.row) % kRowBytes != 0)
        fail(fmt::format(
            "misaligned: {} at {} names a row of a matrix at {}, expected a multiple "
            "of {}",
            name_of(thread), move.place.text(), static_cast<void*>(move.row), kRowBytes));
    check_shared_range(move.row, kRowBytes, thread, move.place);
}

// Element (row, column) of half `half` of a lane's register.
struct Element {
    int row, column;
};
template <bool kTransposed>
Element element_of(int lane, int half) {
    const int group = lane / 4, in_group = 2 * (lane % 4) + half;
    if constexpr (kTransposed) return {in_group, group};
    return {group, in_group};
}

// Tells the check that the lanes read or write their elements of matrix m.
template <bool kTransposed>
void note_accesses(void** arguments, int m, check::Kind kind) {
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        const Place place = argument<Move>(arguments, lane).place;
        for (int half = 0; half < 2; ++half) {
            const auto [row, column] = element_of<kTransposed>(lane, half);
            const unsigned char* start = argument<Move>(arguments, kRows * m + row).row;
            check::shared_access(block->current->warp * kLanesPerWarp + lane, start + 2 * column, 2,
                                 kind, place);
        }
    }
}

// One matrix between the rows that lanes 8m to 8m + 7 name and register m of all lanes.
template <bool kTransposed, bool kLoad>
void move_matrix(void** arguments, int m) {
    for (int r = 0; r < kRows; ++r)
        check_row(argument<Move>(arguments, kRows * m + r), kRows * m + r);
    if constexpr (check::kOn) {
        note_accesses<kTransposed>(arguments, m, kLoad ? check::Kind::read : check::Kind::write);
        const void* rows[kRows];
        for (int r = 0; r < kRows; ++r) rows[r] = argument<Move>(arguments, kRows * m + r).row;
        profile::note_matrix(rows, !kLoad, check::pc_of(argument<Move>(arguments, 0).place));
    }
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        uint32_t& value = argument<Move>(arguments, lane).registers[m];
        uint16_t halves[2];
        if constexpr (!kLoad) std::memcpy(halves, &value, sizeof value);
        for (int half = 0; half < 2; ++half) {
            const auto [row, column] = element_of<kTransposed>(lane, half);
            unsigned char* at = argument<Move>(arguments, kRows * m + row).row + 2 * column;
            if constexpr (kLoad)
                std::memcpy(&halves[half], at, 2);
            else
                std::memcpy(at, &halves[half], 2);
        }
        if constexpr (kLoad) std::memcpy(&value, halves, sizeof value);
    }
}

template <bool kTransposed, bool kLoad, int kCount>
void run_move(uint32_t, void** arguments) {
    check_one_line<Move>(arguments);
    for (int m = 0; m < kCount; ++m) move_matrix<kTransposed, kLoad>(arguments, m);
}

template <bool kTransposed, bool kLoad>
WarpOperation move_of(int count) {
    if (count == 1) return run_move<kTransposed, kLoad, 1>;
    return count == 2 ? run_move<kTransposed, kLoad, 2> : run_move<kTransposed, kLoad, 4>;
}

float low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
float high(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

// The operands as the matrices that they are.
struct Operands {
    alignas(64) float a[16][16];
    alignas(64) float b[16][8];
    alignas(64) float sums[16][8];

    explicit Operands(void** arguments) {
        for (int lane = 0; lane < kLanesPerWarp; ++lane) {
            const auto& of_lane = argument<Multiply>(arguments, lane);
            const int group = lane / 4, pair = 2 * (lane % 4);
            for (int quarter = 0; quarter < 4; ++quarter) {
                float* row = a[group + quarter % 2 * 8] + pair + quarter / 2 * 8;
                row[0] = low(of_lane.a[quarter]);
                row[1] = high(of_lane.a[quarter]);
            }
            for (int half = 0; half < 2; ++half) {
                b[pair + 8 * half][group] = low(of_lane.b[half]);
                b[pair + 8 * half + 1][group] = high(of_lane.b[half]);
                std::memcpy(&sums[group + 8 * half][pair], of_lane.sums + 2 * half,
                            2 * sizeof(float));
            }
        }
    }
    void multiply() {
        for (int m = 0; m < 16; ++m)
            for (int k = 0; k < 16; ++k)
                for (int n = 0; n < 8; ++n) sums[m][n] += a[m][k] * b[k][n];
    }
    void give_back(void** arguments) const {
        for (int lane = 0; lane < kLanesPerWarp; ++lane)
            for (int half = 0; half < 2; ++half)
                std::memcpy(argument<Multiply>(arguments, lane).sums + 2 * half,
                            &sums[lane / 4 + 8 * half][2 * (lane % 4)], 2 * sizeof(float));
    }
};

void run_multiply(uint32_t, void** arguments) {
    check_one_line<Multiply>(arguments);
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        const auto& of_lane = argument<Multiply>(arguments, lane);
        check_written(of_lane.sums, 4, lane, of_lane.place);
    }
    Operands operands(arguments);
    operands.multiply();
    operands.give_back(arguments);
}

}  // namespace

void load_matrices(uint32_t* registers, int count, bool transposed, const void* row, Place place) {
    const check::Inside emulator;
    auto* bytes = const_cast<unsigned char*>(static_cast<const unsigned char*>(row));
    Move move{{place}, registers, bytes};
    meet(kAllLanes, transposed ? move_of<true, true>(count) : move_of<false, true>(count), &move,
         place);
}

void store_matrices(void* row, const uint32_t* registers, int count, bool transposed, Place place) {
    const check::Inside emulator;
    Move move{{place}, const_cast<uint32_t*>(registers), static_cast<unsigned char*>(row)};
    meet(kAllLanes, transposed ? move_of<true, false>(count) : move_of<false, false>(count), &move,
         place);
}

void multiply_matrices(float* sums, const uint32_t* a, const uint32_t* b, Place place) {
    const check::Inside emulator;
    Multiply multiply{{place}, sums, a, b};
    meet(kAllLanes, run_multiply, &multiply, place);
}

}  // namespace simt
