#include "kernels/nonlinearity/gelu.h"

#include "kernels/core/check.h"
#include "kernels/core/dispatch.h"
#include "kernels/nonlinearity/gelu_reference.h"

namespace on_cpu {
template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView stream);
template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView stream);
template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView stream);
template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView stream) {
    ENSURE(args.count >= 0, "gelu_forward: count is {}, expected at least 0", args.count);
    if (args.count == 0) return;
    ENSURE(args.out != nullptr, "gelu_forward: out is null, expected [{}]", args.count);
    ENSURE(args.input != nullptr, "gelu_forward: input is null, expected [{}]", args.count);
    if constexpr (std::is_same_v<T, double>)
        dispatch("gelu_forward", args, stream, gelu_forward_reference<T>);
    else
        dispatch("gelu_forward", args, stream, on_cpu::gelu_forward<T>,
                 FETTLE_CUDA_FORM(on_cuda::gelu_forward<T>), on_simt::gelu_forward<T>);
}

template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView stream) {
    ENSURE(args.count >= 0, "gelu_backward: count is {}, expected at least 0", args.count);
    if (args.count == 0) return;
    ENSURE(args.grad_input != nullptr, "gelu_backward: grad_input is null, expected [{}]",
           args.count);
    ENSURE(args.grad_out != nullptr, "gelu_backward: grad_out is null, expected [{}]", args.count);
    ENSURE(args.input != nullptr, "gelu_backward: input is null, expected [{}]", args.count);
    if constexpr (std::is_same_v<T, double>)
        dispatch("gelu_backward", args, stream, gelu_backward_reference<T>);
    else
        dispatch("gelu_backward", args, stream, on_cpu::gelu_backward<T>,
                 FETTLE_CUDA_FORM(on_cuda::gelu_backward<T>), on_simt::gelu_backward<T>);
}

template void gelu_forward(const GeluForward<float>&, StreamView);
template void gelu_forward(const GeluForward<bf16>&, StreamView);
template void gelu_forward(const GeluForward<double>&, StreamView);
template void gelu_backward(const GeluBackward<float>&, StreamView);
template void gelu_backward(const GeluBackward<bf16>&, StreamView);
template void gelu_backward(const GeluBackward<double>&, StreamView);
