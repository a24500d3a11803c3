#include "kernels/nonlinearity/swiglu.h"

#include "kernels/core/dispatch.h"
#include "kernels/nonlinearity/swiglu_reference.h"

namespace on_cpu {
template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView stream);
template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView stream);
template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView stream);
template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView stream);
}  // namespace on_simt

namespace {

template <class Args>
void check_shape(const char* op, const Args& args) {
    ENSURE(args.rows >= 0, "{}: rows is {}, expected at least 0", op, args.rows);
    ENSURE(args.channels > 0, "{}: channels is {}, expected at least 1", op, args.channels);
}

}  // namespace

template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView stream) {
    check_shape("swiglu_forward", args);
    if (args.rows == 0) return;
    ENSURE(args.out != nullptr, "swiglu_forward: out is null, expected [{}, {}]", args.rows,
           args.channels);
    ENSURE(args.gate_up != nullptr, "swiglu_forward: gate_up is null, expected [{}, {}]", args.rows,
           2 * args.channels);
    if constexpr (std::is_same_v<T, double>)
        dispatch("swiglu_forward", args, stream, swiglu_forward_reference<T>);
    else
        dispatch("swiglu_forward", args, stream, on_cpu::swiglu_forward<T>,
                 FETTLE_CUDA_FORM(on_cuda::swiglu_forward<T>), on_simt::swiglu_forward<T>);
}

template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView stream) {
    check_shape("swiglu_backward", args);
    if (args.rows == 0) return;
    ENSURE(args.grad_gate_up != nullptr, "swiglu_backward: grad_gate_up is null, expected [{}, {}]",
           args.rows, 2 * args.channels);
    ENSURE(args.grad_out != nullptr, "swiglu_backward: grad_out is null, expected [{}, {}]",
           args.rows, args.channels);
    ENSURE(args.gate_up != nullptr, "swiglu_backward: gate_up is null, expected [{}, {}]",
           args.rows, 2 * args.channels);
    if constexpr (std::is_same_v<T, double>)
        dispatch("swiglu_backward", args, stream, swiglu_backward_reference<T>);
    else
        dispatch("swiglu_backward", args, stream, on_cpu::swiglu_backward<T>,
                 FETTLE_CUDA_FORM(on_cuda::swiglu_backward<T>), on_simt::swiglu_backward<T>);
}

template void swiglu_forward(const SwigluForward<float>&, StreamView);
template void swiglu_forward(const SwigluForward<bf16>&, StreamView);
template void swiglu_forward(const SwigluForward<double>&, StreamView);
template void swiglu_backward(const SwigluBackward<float>&, StreamView);
template void swiglu_backward(const SwigluBackward<bf16>&, StreamView);
template void swiglu_backward(const SwigluBackward<double>&, StreamView);
