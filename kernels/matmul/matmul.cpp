#include "kernels/matmul/matmul.h"

#include "kernels/core/dispatch.h"
#include "kernels/matmul/cublaslt.h"
#include "kernels/matmul/matmul_reference.h"

namespace on_cpu {
template <typename T, typename Out>
void matmul(const Matmul<T, Out>&, StreamView);
template <typename T>
void bias_gradient(const BiasGradient<T>&, StreamView);
template <typename T>
int64_t matmul_scratch_bytes();
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void bias_gradient(const BiasGradient<T>&, StreamView);
}  // namespace on_cuda
namespace on_simt {
template <typename T, typename Out>
void matmul(const Matmul<T, Out>&, StreamView);
template <typename T>
void bias_gradient(const BiasGradient<T>&, StreamView);
}  // namespace on_simt

template <typename T, typename Out>
void matmul(const Matmul<T, Out>& args, StreamView stream) {
    ENSURE(args.m >= 0 && args.n > 0 && args.k > 0,
           "matmul: M, N, K are {}, {}, {}; expected M >= 0 and N, K > 0", args.m, args.n, args.k);
    ENSURE(!(args.accumulate && args.bias), "matmul: a bias and accumulate exclude each other");
    if (args.m == 0) return;
    ENSURE(args.out && args.a && args.b, "matmul: out, a or b is null");
    const int64_t scratch_bytes = matmul_scratch_bytes<T>(stream.device);
    ENSURE(args.scratch || scratch_bytes == 0, "matmul: scratch is null; expected {} bytes",
           scratch_bytes);
    if constexpr (std::is_same_v<T, double>)
        dispatch("matmul", args, stream, matmul_reference<T, Out>);
    else
        dispatch("matmul", args, stream, on_cpu::matmul<T, Out>,
                 FETTLE_CUDA_FORM((on_cuda::matmul_by_library<T, Out>)), on_simt::matmul<T, Out>);
}

template <typename T>
void bias_gradient(const BiasGradient<T>& args, StreamView stream) {
    ENSURE(args.m >= 0 && args.n > 0, "bias_gradient: M, N are {}, {}; expected M >= 0 and N > 0",
           args.m, args.n);
    if (args.m == 0) return;
    ENSURE(args.grad_bias && args.grad_out, "bias_gradient: grad_bias or grad_out is null");
    if constexpr (std::is_same_v<T, double>) {
        dispatch("bias_gradient", args, stream, bias_gradient_reference<T>);
    } else {
        ENSURE(args.scratch, "bias_gradient: scratch is null; expected {} bytes",
               bias_gradient_scratch_bytes(args.n));
        dispatch("bias_gradient", args, stream, on_cpu::bias_gradient<T>,
                 FETTLE_CUDA_FORM(on_cuda::bias_gradient<T>), on_simt::bias_gradient<T>);
    }
}

template <typename T>
int64_t matmul_scratch_bytes(Device device) {
    if (device == Device::cpu) return on_cpu::matmul_scratch_bytes<T>();
    return device == Device::cuda ? cublaslt::kScratchBytes : 0;
}

template int64_t matmul_scratch_bytes<float>(Device);
template int64_t matmul_scratch_bytes<double>(Device);
template int64_t matmul_scratch_bytes<bf16>(Device);
template void matmul(const Matmul<float, float>&, StreamView);
template void matmul(const Matmul<bf16, bf16>&, StreamView);
template void matmul(const Matmul<bf16, float>&, StreamView);
template void matmul(const Matmul<double, double>&, StreamView);
template void bias_gradient(const BiasGradient<float>&, StreamView);
template void bias_gradient(const BiasGradient<bf16>&, StreamView);
template void bias_gradient(const BiasGradient<double>&, StreamView);
