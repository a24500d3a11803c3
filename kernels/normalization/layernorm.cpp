#include "kernels/normalization/layernorm.h"

#include "kernels/core/check.h"
#include "kernels/core/dispatch.h"
#include "kernels/normalization/layernorm_reference.h"

namespace on_cpu {
template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView stream);
template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView stream);
template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView stream);
template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView stream);
}  // namespace on_simt

namespace {

void check_shape(const char* op, int64_t rows, int channels) {
    ENSURE(rows >= 0, "{}: rows is {}, expected 0 or more", op, rows);
    ENSURE(channels > 0, "{}: channels is {}, expected 1 or more", op, channels);
}

void check_given(const char* op, const char* tensor, const void* pointer) {
    ENSURE(pointer != nullptr, "{}: {} is null, expected a tensor", op, tensor);
}

}  // namespace

template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView stream) {
    constexpr auto op = "layernorm_forward";
    check_shape(op, args.rows, args.channels);
    if (args.rows == 0) return;
    check_given(op, "out", args.out);
    check_given(op, "mean", args.mean);
    check_given(op, "rstd", args.rstd);
    check_given(op, "input", args.input);
    check_given(op, "weight", args.weight);
    check_given(op, "bias", args.bias);
    if (args.branch != nullptr) check_given(op, "residual_out", args.residual_out);
    if constexpr (std::is_same_v<T, double>) {
        ENSURE(stream.device == Device::cpu, "{}: double runs on cpu only", op);
        layernorm_forward_reference(args);
    } else {
        dispatch(op, args, stream, on_cpu::layernorm_forward<T>,
                 FETTLE_CUDA_FORM(on_cuda::layernorm_forward<T>), on_simt::layernorm_forward<T>);
    }
}

template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView stream) {
    constexpr auto op = "layernorm_backward";
    check_shape(op, args.rows, args.channels);
    if (args.rows == 0) return;
    check_given(op, "grad_input", args.grad_input);
    check_given(op, "grad_weight", args.grad_weight);
    check_given(op, "grad_bias", args.grad_bias);
    check_given(op, "scratch", args.scratch);
    check_given(op, "grad_out", args.grad_out);
    check_given(op, "input", args.input);
    check_given(op, "weight", args.weight);
    check_given(op, "mean", args.mean);
    check_given(op, "rstd", args.rstd);
    if constexpr (std::is_same_v<T, double>) {
        ENSURE(stream.device == Device::cpu, "{}: double runs on cpu only", op);
        layernorm_backward_reference(args);
    } else {
        dispatch(op, args, stream, on_cpu::layernorm_backward<T>,
                 FETTLE_CUDA_FORM(on_cuda::layernorm_backward<T>), on_simt::layernorm_backward<T>);
    }
}

int64_t layernorm_backward_scratch_bytes(int channels, int64_t accumulator_bytes) {
    return int64_t{kLayerNormBlocks} * 2 * channels * accumulator_bytes;
}

template void layernorm_forward(const LayerNormForward<float>&, StreamView);
template void layernorm_forward(const LayerNormForward<bf16>&, StreamView);
template void layernorm_forward(const LayerNormForward<double>&, StreamView);
template void layernorm_backward(const LayerNormBackward<float>&, StreamView);
template void layernorm_backward(const LayerNormBackward<bf16>&, StreamView);
template void layernorm_backward(const LayerNormBackward<double>&, StreamView);
