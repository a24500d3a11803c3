#include "kernels/attention/attention.h"

#include "kernels/attention/attention_reference.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/core/dispatch.h"

namespace on_cpu {
template <typename T>
void attention_forward(const AttentionForward<T>&, StreamView);
template <typename T>
void attention_backward(const AttentionBackward<T>&, StreamView);
int64_t attention_backward_scratch_bytes(int64_t longest_row, int group_size, int head_dim);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void attention_forward(const AttentionForward<T>&, StreamView);
template <typename T>
void attention_backward(const AttentionBackward<T>&, StreamView);
void attention_forward_sm80(const AttentionForward<bf16>&, StreamView);
void attention_forward_sm90(const AttentionForward<bf16>&, StreamView);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void attention_forward(const AttentionForward<T>&, StreamView);
template <typename T>
void attention_backward(const AttentionBackward<T>&, StreamView);
void attention_forward_sm80(const AttentionForward<bf16>&, StreamView);
void attention_forward_sm90(const AttentionForward<bf16>&, StreamView);
}  // namespace on_simt

namespace {

bool fits_tensor_cores(const AttentionForward<bf16>& args) {
    const auto in_chunks = [](const bf16* tensor, int64_t stride) {
        return reinterpret_cast<uintptr_t>(tensor) % 16 == 0 && stride % 8 == 0;
    };
    return (args.head_dim == 64 || args.head_dim == 128) && args.scale > 0.0 &&
           in_chunks(args.q, args.q_stride) && in_chunks(args.k, args.k_stride) &&
           in_chunks(args.v, args.v_stride) && in_chunks(args.out, args.out_stride) &&
           in_chunks(args.out_rest, args.out_stride);
}

bool has_sm90(Device device) {
#if defined(FETTLE_WITH_CUDA)
    constexpr int kHopper = 90;
    if (device == Device::cuda) {
        static const bool is_hopper = cuda_runtime::compute_capability() == kHopper;
        return is_hopper;
    }
#endif
    return device == Device::simt;
}

// The form asked for, if it can run.
AttentionForm form_of(const AttentionForward<bf16>& args, Device device) {
    const bool has_maps = args.query_tokens > 0 && args.key_tokens > 0;
    const bool fits = device_has(args.form, device) && fits_tensor_cores(args) &&
                      (has_maps || args.form != AttentionForm::sm90);
    return fits ? args.form : AttentionForm::plain;
}

template <class Args>
void check_shape(const char* op, const Args& args) {
    ENSURE(args.heads > 0 && args.kv_heads > 0 && args.heads % args.kv_heads == 0,
           "{}: {} query heads and {} key heads; expected a whole number of query heads a key head",
           op, args.heads, args.kv_heads);
    ENSURE(args.head_dim > 0 && args.head_dim <= kMaxHeadDim,
           "{}: head_dim is {}; expected 1 to {}", op, args.head_dim, kMaxHeadDim);
    ENSURE(args.rows >= 0, "{}: {} rows; expected 0 or more", op, args.rows);
}

void set_default(int64_t& stride, int heads, int head_dim) {
    if (stride == 0) stride = int64_t{heads} * head_dim;
}

template <class Args>
Args with_strides(Args args) {
    set_default(args.q_stride, args.heads, args.head_dim);
    set_default(args.k_stride, args.kv_heads, args.head_dim);
    set_default(args.v_stride, args.kv_heads, args.head_dim);
    set_default(args.out_stride, args.heads, args.head_dim);
    return args;
}

}  // namespace

template <typename T>
void attention_forward(const AttentionForward<T>& args, StreamView stream) {
    check_shape("attention_forward", args);
    if (args.rows == 0) return;
    ENSURE(args.out && args.q && args.k && args.v && args.query_starts,
           "attention_forward: out, q, k, v or query_starts is null");
    const auto full = with_strides(args);
    if constexpr (std::is_same_v<T, bf16>) {
        const AttentionForm runs = form_of(full, stream.device);
        if (runs == AttentionForm::sm80)
            return dispatch("attention_forward", full, stream, on_cpu::attention_forward<T>,
                            FETTLE_CUDA_FORM(on_cuda::attention_forward_sm80),
                            on_simt::attention_forward_sm80);
        if (runs == AttentionForm::sm90)
            return dispatch("attention_forward", full, stream, on_cpu::attention_forward<T>,
                            FETTLE_CUDA_FORM(on_cuda::attention_forward_sm90),
                            on_simt::attention_forward_sm90);
    }
    if constexpr (std::is_same_v<T, double>)
        attention_forward_reference(full);
    else
        dispatch("attention_forward", full, stream, on_cpu::attention_forward<T>,
                 FETTLE_CUDA_FORM(on_cuda::attention_forward<T>), on_simt::attention_forward<T>);
}

bool device_has(AttentionForm value, Device device) {
    if (value == AttentionForm::sm90) return has_sm90(device);
    return value == AttentionForm::plain || device != Device::cpu;
}

template <typename T>
void attention_backward(const AttentionBackward<T>& args, StreamView stream) {
    check_shape("attention_backward", args);
    if (args.rows == 0) return;
    ENSURE(args.grad_q && args.grad_k && args.grad_v && args.grad_out && args.out && args.lse &&
               args.q && args.k && args.v && args.query_starts,
           "attention_backward: one of its tensors is null");
    auto full = with_strides(args);
    set_default(full.grad_q_stride, args.heads, args.head_dim);
    set_default(full.grad_k_stride, args.kv_heads, args.head_dim);
    set_default(full.grad_v_stride, args.kv_heads, args.head_dim);
    if constexpr (std::is_same_v<T, double>) {
        attention_backward_reference(full);
    } else {
        ENSURE(args.scratch, "attention_backward: scratch is null");
        dispatch("attention_backward", full, stream, on_cpu::attention_backward<T>,
                 FETTLE_CUDA_FORM(on_cuda::attention_backward<T>), on_simt::attention_backward<T>);
    }
}

int64_t attention_backward_scratch_bytes(Device device, const AttentionLimits& limits) {
    if (device == Device::cpu)
        return on_cpu::attention_backward_scratch_bytes(
            limits.longest_row, limits.heads / limits.kv_heads, limits.head_dim);
    return limits.tokens * limits.heads * int64_t{sizeof(float)};  // delta
}

template void attention_forward(const AttentionForward<float>&, StreamView);
template void attention_forward(const AttentionForward<bf16>&, StreamView);
template void attention_forward(const AttentionForward<double>&, StreamView);
template void attention_backward(const AttentionBackward<float>&, StreamView);
template void attention_backward(const AttentionBackward<bf16>&, StreamView);
template void attention_backward(const AttentionBackward<double>&, StreamView);
