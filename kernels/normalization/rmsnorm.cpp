#include "kernels/normalization/rmsnorm.h"

#include "kernels/core/dispatch.h"
#include "kernels/normalization/rmsnorm_reference.h"

namespace on_cpu {
template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView stream);
template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView stream);
template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView stream);
template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView stream);
}  // namespace on_simt

namespace {

// Checks the shape and fills in default strides.
template <class Args>
Args checked(const char* op, Args args) {
    ENSURE(args.rows >= 0, "{}: rows is {}, expected at least 0", op, args.rows);
    ENSURE(args.groups > 0, "{}: groups is {}, expected at least 1", op, args.groups);
    ENSURE(args.channels > 0, "{}: channels is {}, expected at least 1", op, args.channels);
    const int64_t width = int64_t{args.groups} * args.channels;
    if (args.input_stride == 0) args.input_stride = width;
    if (args.out_stride == 0) args.out_stride = width;
    ENSURE(args.input_stride >= width && args.out_stride >= width,
           "{}: strides are {} and {}, expected at least groups * channels = {}", op,
           args.input_stride, args.out_stride, width);
    return args;
}

template <class Args>
void check_tensor(const char* op, const char* name, const void* tensor, const Args& args) {
    ENSURE(tensor != nullptr, "{}: {} is null, expected [{}, {}, {}]", op, name, args.rows,
           args.groups, args.channels);
}

}  // namespace

template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView stream) {
    const char* op = "rmsnorm_forward";
    const auto full = checked(op, args);
    if (args.rows == 0) return;
    check_tensor(op, "out", args.out, args);
    check_tensor(op, "input", args.input, args);
    if (args.branch != nullptr) check_tensor(op, "residual_out", args.residual_out, args);
    ENSURE(args.weight != nullptr, "{}: weight is null, expected [{}]", op, args.channels);
    ENSURE(args.rstd != nullptr, "{}: rstd is null, expected [{}, {}]", op, args.rows, args.groups);
    if constexpr (std::is_same_v<T, double>)
        dispatch(op, full, stream, rmsnorm_forward_reference<T>);
    else
        dispatch(op, full, stream, on_cpu::rmsnorm_forward<T>,
                 FETTLE_CUDA_FORM(on_cuda::rmsnorm_forward<T>), on_simt::rmsnorm_forward<T>);
}

template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView stream) {
    const char* op = "rmsnorm_backward";
    const auto full = checked(op, args);
    if (args.rows == 0) return;
    check_tensor(op, "grad_input", args.grad_input, args);
    check_tensor(op, "grad_out", args.grad_out, args);
    check_tensor(op, "input", args.input, args);
    ENSURE(args.weight != nullptr, "{}: weight is null, expected [{}]", op, args.channels);
    ENSURE(args.grad_weight != nullptr, "{}: grad_weight is null, expected [{}]", op,
           args.channels);
    ENSURE(args.rstd != nullptr, "{}: rstd is null, expected [{}, {}]", op, args.rows, args.groups);
    ENSURE(args.scratch != nullptr, "{}: scratch is null, expected {} bytes", op,
           rmsnorm_backward_scratch_bytes(args.channels, sizeof(Accumulator<T>)));
    if constexpr (std::is_same_v<T, double>)
        dispatch(op, full, stream, rmsnorm_backward_reference<T>);
    else
        dispatch(op, full, stream, on_cpu::rmsnorm_backward<T>,
                 FETTLE_CUDA_FORM(on_cuda::rmsnorm_backward<T>), on_simt::rmsnorm_backward<T>);
}

int64_t rmsnorm_backward_scratch_bytes(int channels, int64_t accumulator_bytes) {
    return kRmsNormBlocks * int64_t{channels} * accumulator_bytes;
}

template void rmsnorm_forward(const RmsNormForward<float>&, StreamView);
template void rmsnorm_forward(const RmsNormForward<bf16>&, StreamView);
template void rmsnorm_forward(const RmsNormForward<double>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<float>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<bf16>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<double>&, StreamView);
