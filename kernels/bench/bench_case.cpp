#include "kernels/bench/bench_case.h"

#include "kernels/bench/case_list.h"

namespace {

constexpr Sizes kGpt2{4096, 1024, 768, 3072, 12, 64, 1024, 50257, 32 << 20};
constexpr Sizes kSmall{64, 32, 128, 256, 2, 64, 16, 1000, 4096};

}  // namespace

std::vector<BenchCase> bench_cases(Device device, bool small) {
    Cases cases;
    const Sizes& sizes = small ? kSmall : kGpt2;
    add_norms(cases, sizes);
    add_pointwise(cases, sizes);
    add_products(cases, sizes);
    add_attention(cases, sizes, device);
    add_vocabulary(cases, sizes);
    add_optimizer(cases, sizes);
    return cases.take();
}
