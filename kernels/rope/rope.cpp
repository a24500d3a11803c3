#include "kernels/rope/rope.h"

#include "kernels/core/dispatch.h"
#include "kernels/rope/rope_reference.h"

namespace on_cpu {
template <typename T>
void rope(const Rope<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void rope(const Rope<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void rope(const Rope<T>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void rope(const Rope<T>& args, StreamView stream) {
    ENSURE(args.rows >= 0, "rope: rows is {}, expected at least 0", args.rows);
    ENSURE(args.heads > 0, "rope: heads is {}, expected at least 1", args.heads);
    ENSURE(args.head_dim > 0 && args.head_dim % 2 == 0,
           "rope: head_dim is {}, expected an even number of at least 2", args.head_dim);
    Rope<T> full = args;
    const int64_t width = int64_t{args.heads} * args.head_dim;
    if (full.stride == 0) full.stride = width;
    ENSURE(full.stride >= width, "rope: stride is {}, expected at least heads * head_dim = {}",
           full.stride, width);
    if (args.rows == 0) return;
    ENSURE(args.data != nullptr, "rope: data is null, expected [{}, {}, {}]", args.rows, args.heads,
           args.head_dim);
    ENSURE(args.cos != nullptr && args.sin != nullptr,
           "rope: cos or sin is null, expected [P, {}] each", args.head_dim / 2);
    ENSURE(args.positions != nullptr, "rope: positions is null, expected [{}]", args.rows);
    if constexpr (std::is_same_v<T, double>)
        dispatch("rope", full, stream, rope_reference<T>);
    else
        dispatch("rope", full, stream, on_cpu::rope<T>, FETTLE_CUDA_FORM(on_cuda::rope<T>),
                 on_simt::rope<T>);
}

template void rope(const Rope<float>&, StreamView);
template void rope(const Rope<bf16>&, StreamView);
template void rope(const Rope<double>&, StreamView);
