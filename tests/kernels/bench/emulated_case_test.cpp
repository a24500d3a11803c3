#include "kernels/bench/emulated_case.h"

#include "kernels/simt/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"  // contains

namespace {

const BenchCase& of_op(const std::vector<BenchCase>& cases, const std::string& op) {
    for (const BenchCase& bench : cases)
        if (bench.op == op) return bench;
    throw std::runtime_error(op + ": no such case");
}

}  // namespace

// LayerNorm's sums of weight and bias: 8 warps' of 2 x 128 floats, or the 4 whose 2 x 768 each fit.
TEST_CASE(
    "launches_of: threads, dynamic shared memory and kernel of every launch, small or large") {
    const std::string small =
        launches_of(of_op(bench_cases(Device::simt, true), "layernorm_backward"));
    CHECK(small.starts_with("256 8192 "));
    CHECK(contains(small, "layernorm_backward_warp_per_row"));
    CHECK(contains(small, "\n256 0 "));
    CHECK(contains(small, "layernorm_backward_sum_runs"));
    const std::string large =
        launches_of(of_op(bench_cases(Device::simt, false), "layernorm_backward"));
    CHECK(large.starts_with("256 49152 "));
}

TEST_CASE("counts_of: a line for each access in a check build, nothing in others") {
    const std::string counts = counts_of(of_op(bench_cases(Device::simt, true), "gelu_forward"));
    CHECK(contains(counts, "global load") == simt::check::kOn);
    CHECK(contains(counts, "gelu.cu:") == simt::check::kOn);
}
