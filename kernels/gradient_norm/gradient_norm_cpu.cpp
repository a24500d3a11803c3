// Gradient norm on the cpu device.
//
// Threads   a block of kGradientNormBlock elements each; then one thread adds the blocks' sums.
// Traffic   reads count elements once. Memory-bound.
// Numerics  squares of floats are exact in double; a block's sum goes through kLanes lanes.

#include <algorithm>
#include <cmath>

#include "kernels/core/lanes.h"
#include "kernels/core/parallel.h"
#include "kernels/gradient_norm/gradient_norm.h"

namespace on_cpu {

template <typename T>
void gradient_norm(const GradientNorm<T>& args, StreamView) {
    const int64_t blocks = (args.count + kGradientNormBlock - 1) / kGradientNormBlock;
    auto* partial = static_cast<double*>(args.scratch);  // [blocks]
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) {
            const T* block = args.gradient + b * kGradientNormBlock;
            const int64_t size = std::min(kGradientNormBlock, args.count - b * kGradientNormBlock);
            partial[b] = sum_in_lanes<double>(size, [block](int64_t i) {
                const auto value = static_cast<double>(block[i]);
                return value * value;
            });
        }
    });
    double sum = 0.0;
    for (int64_t b = 0; b < blocks; ++b) sum += partial[b];

    const double norm = std::sqrt(sum);
    const bool finite = std::isfinite(norm);
    const double clip = args.max_norm == 0.0 ? 1.0 : std::min(1.0, args.max_norm / (norm + 1e-6));
    *args.norm = norm;
    *args.scale = finite ? static_cast<float>(clip) : 0.0f;
    *args.finite = finite ? 1 : 0;
}

template void gradient_norm(const GradientNorm<float>&, StreamView);
template void gradient_norm(const GradientNorm<double>&, StreamView);

}  // namespace on_cpu
