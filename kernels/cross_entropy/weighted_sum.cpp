#include "kernels/cross_entropy/weighted_sum.h"

#include "kernels/core/check.h"
#include "kernels/core/dispatch.h"

namespace on_cpu {
// A number a token: one thread, in order.
template <typename T>
void weighted_sum(const WeightedSum<T>& args, StreamView) {
    double sum = 0.0;
    for (int64_t n = 0; n < args.count; ++n)
        if (args.weights[n] != T(0)) sum += static_cast<double>(args.weights[n]) * args.values[n];
    *args.sum += sum;
}
}  // namespace on_cpu
namespace on_cuda {
void weighted_sum(const WeightedSum<float>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
void weighted_sum(const WeightedSum<float>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void weighted_sum(const WeightedSum<T>& args, StreamView stream) {
    constexpr auto op = "weighted_sum";
    ENSURE(args.count >= 0, "{}: count is {}, expected 0 or more", op, args.count);
    if (args.count == 0) return;
    ENSURE(args.sum && args.values && args.weights, "{}: a null pointer, expected tensors", op);
    if constexpr (std::is_same_v<T, double>)
        dispatch(op, args, stream, on_cpu::weighted_sum<T>);
    else
        dispatch(op, args, stream, on_cpu::weighted_sum<T>, FETTLE_CUDA_FORM(on_cuda::weighted_sum),
                 on_simt::weighted_sum);
}

template void weighted_sum(const WeightedSum<float>&, StreamView);
template void weighted_sum(const WeightedSum<double>&, StreamView);
