// Tensor maps: a box comes through one from host code to a kernel, and each limit is named.

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
// After emulated.h, which says for which device.
#include "kernels/core/tensor_map.cuh"

namespace on_simt {
namespace {

constexpr int kBoxRows = 8, kBoxColumns = 64, kElements = kBoxRows * kBoxColumns;

struct Maps {
    TensorMap first, second;
};

// The first map's box at row 1, column 8, then the second's at (2, 0); and how the maps came here.
__global__ void load_two(char prefix, bf16* out, const __grid_constant__ Maps maps, char* state) {
    __shared__ uint64_t mbarrier;
    FETTLE_DYNAMIC_SHARED(bf16, values);
    if (threadIdx.x == 0) {
        mbarrier_init(&mbarrier, 1);
        fence_mbarrier_init();
        prefetch_tensor_map(&maps.first);
        mbarrier_arrive_expect_bytes(&mbarrier, 2 * kElements * sizeof(bf16));
        load_box(values, &maps.first, 8, 1, &mbarrier);
        load_box(values + kElements, &maps.second, 0, 2, &mbarrier);
        const bool is_aligned = reinterpret_cast<uintptr_t>(&maps) % alignof(Maps) == 0;
        *state = char(prefix + int(is_aligned));
    }
    __syncthreads();
    mbarrier_wait(&mbarrier, 0);
    for (int i = int(threadIdx.x); i < 2 * kElements; i += int(blockDim.x)) out[i] = values[i];
}

}  // namespace
}  // namespace on_simt

namespace {

using on_simt::make_tensor_map;
using on_simt::MatrixBoxes;

constexpr int kRows = 12, kColumns = 44, kStride = 48;

// Exact in bf16.
float value(int r, int c) { return r < kRows && c < kColumns ? float(50 * (r % 4) + c + 1) : 0; }

Buffer<bf16> matrix() {
    std::vector<bf16> values(kRows * kStride, bf16(-1.0f));
    for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < kColumns; ++c) values[r * kStride + c] = bf16(value(r, c));
    return Buffer<bf16>(Device::simt, values);
}
MatrixBoxes boxes_of(const bf16* matrix) {
    return {.matrix = matrix,
            .rows = kRows,
            .columns = kColumns,
            .stride = kStride,
            .box_rows = on_simt::kBoxRows,
            .box_columns = on_simt::kBoxColumns};
}

// What changing a right description by `change` is answered with.
template <typename Change>
std::string answer(const Change& change) {
    alignas(16) static const bf16 values[8] = {};
    MatrixBoxes boxes = boxes_of(values);
    change(boxes);
    try {
        make_tensor_map(boxes);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("simt tensor map: boxes come through a kernel's parameter, which keeps its alignment") {
    const Buffer<bf16> in = matrix();
    const Buffer<bf16> out(Device::simt, 2 * on_simt::kElements);
    const Buffer<char> state(Device::simt, 1);
    MatrixBoxes behind_first = boxes_of(in.data() + kStride);
    behind_first.rows = kRows - 1;
    const on_simt::Maps maps{make_tensor_map(boxes_of(in.data())), make_tensor_map(behind_first)};
    for (const uint32_t seed : {0u, 1u, 2u}) {
        with_schedule(seed, [&] {
            on_simt::launch(
                on_simt::load_two,
                {.grid = 2, .block = 33, .shared_bytes = 2 * on_simt::kElements * sizeof(bf16)},
                'a', out.data(), maps, state.data());
        });
        CHECK(state.to_host() == std::vector<char>{'b'});
        const auto got = out.to_host();
        for (int r = 0; r < on_simt::kBoxRows; ++r)
            for (int c = 0; c < on_simt::kBoxColumns; ++c) {
                const int at = r * on_simt::kBoxColumns + (c / 8 ^ r) * 8 + c % 8;
                REQUIRE(float(got[at]) == value(r + 1, c + 8));
                REQUIRE(float(got[at + on_simt::kElements]) == value(r + 3, c));
            }
    }
}

TEST_CASE("tensor map: a limit that does not hold is named, with what was found") {
    CHECK(answer([](MatrixBoxes&) {}) == "");
    const auto check_named = [](const std::string& what, auto change) {
        const std::string text = answer(change);
        CAPTURE(text);
        CHECK(contains(text, "tensor map: "));
        CHECK(contains(text, what));
    };
    check_named("expected a multiple of 16 bytes", [](auto& boxes) { ++boxes.matrix; });
    check_named("expected a multiple of 16 bytes", [](auto& boxes) { boxes.matrix = nullptr; });
    check_named("a matrix of 0 x 44, expected 1 to 2^31 - 1", [](auto& boxes) { boxes.rows = 0; });
    check_named("a matrix of 2147483648 x 44", [](auto& boxes) { boxes.rows = int64_t{1} << 31; });
    check_named("a matrix of 12 x -1", [](auto& boxes) { boxes.columns = -1; });
    check_named("52 elements apart, expected a multiple of 8",
                [](auto& boxes) { boxes.stride = 52; });
    check_named("40 elements apart", [](auto& boxes) { boxes.stride = 40; });
    check_named("less than 2^40 bytes", [](auto& boxes) { boxes.stride = int64_t{1} << 39; });
    check_named("less than 2^40 bytes", [](auto& boxes) { boxes.stride = int64_t{1} << 62; });
    check_named("boxes of 0 rows, expected 1 to 256", [](auto& boxes) { boxes.box_rows = 0; });
    check_named("boxes of 257 rows", [](auto& boxes) { boxes.box_rows = 257; });
    check_named("boxes of 4 columns", [](auto& boxes) { boxes.box_columns = 4; });
    check_named("boxes of 12 columns", [](auto& boxes) { boxes.box_columns = 12; });
    check_named("boxes of 72 columns", [](auto& boxes) { boxes.box_columns = 72; });
}

TEST_CASE("tensor map: the largest matrix and box are allowed") {
    CHECK(answer([](auto& boxes) {
              boxes.rows = boxes.columns = INT32_MAX;
              boxes.stride = int64_t{1} << 38;
              boxes.box_rows = 256;
              boxes.box_columns = 64;
          }) == "");
}
