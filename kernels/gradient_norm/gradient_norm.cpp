#include "kernels/gradient_norm/gradient_norm.h"

#include "kernels/core/dispatch.h"

namespace on_cpu {
template <typename T>
void gradient_norm(const GradientNorm<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
void gradient_norm(const GradientNorm<float>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
void gradient_norm(const GradientNorm<float>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void gradient_norm(const GradientNorm<T>& args, StreamView stream) {
    ENSURE(args.count >= 0, "gradient_norm: count is {}, expected at least 0", args.count);
    ENSURE(args.max_norm >= 0.0, "gradient_norm: max_norm is {}, expected at least 0",
           args.max_norm);
    ENSURE(args.norm != nullptr && args.scale != nullptr && args.finite != nullptr,
           "gradient_norm: norm, scale or finite is null, expected [1] each");
    ENSURE(args.count == 0 || args.gradient != nullptr,
           "gradient_norm: gradient is null, expected [{}]", args.count);
    ENSURE(args.count == 0 || args.scratch != nullptr,
           "gradient_norm: scratch is null, expected {} bytes",
           gradient_norm_scratch_bytes(args.count));
    if constexpr (std::is_same_v<T, double>)
        dispatch("gradient_norm", args, stream, on_cpu::gradient_norm<T>);
    else
        dispatch("gradient_norm", args, stream, on_cpu::gradient_norm<T>,
                 FETTLE_CUDA_FORM(on_cuda::gradient_norm), on_simt::gradient_norm);
}

int64_t gradient_norm_scratch_bytes(int64_t count) {
    const int64_t blocks = (count + kGradientNormBlock - 1) / kGradientNormBlock;
    return blocks * static_cast<int64_t>(sizeof(double));
}

template void gradient_norm(const GradientNorm<float>&, StreamView);
template void gradient_norm(const GradientNorm<double>&, StreamView);
