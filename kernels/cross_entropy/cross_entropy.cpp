#include "kernels/cross_entropy/cross_entropy.h"

#include "kernels/core/dispatch.h"
#include "kernels/cross_entropy/cross_entropy_reference.h"

namespace on_cpu {
template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView stream) {
    const char* op = "cross_entropy";
    ENSURE(args.rows >= 0, "{}: rows is {}, expected at least 0", op, args.rows);
    ENSURE(args.vocabulary > 0, "{}: vocabulary is {}, expected at least 1", op, args.vocabulary);
    ENSURE((args.grad_logits == nullptr) == (args.grad_logprob == nullptr),
           "{}: {} is null, expected grad_logits and grad_logprob both given or both null", op,
           args.grad_logits == nullptr ? "grad_logits" : "grad_logprob");
    if (args.rows == 0) return;
    ENSURE(args.logprob != nullptr, "{}: logprob is null, expected [{}]", op, args.rows);
    ENSURE(args.targets != nullptr, "{}: targets is null, expected [{}]", op, args.rows);
    ENSURE(args.logits != nullptr, "{}: logits is null, expected [{}, {}]", op, args.rows,
           args.vocabulary);
    if constexpr (std::is_same_v<T, double>)
        dispatch(op, args, stream, cross_entropy_reference<T>);
    else
        dispatch(op, args, stream, on_cpu::cross_entropy<T>,
                 FETTLE_CUDA_FORM(on_cuda::cross_entropy<T>), on_simt::cross_entropy<T>);
}

template void cross_entropy(const CrossEntropy<float>&, StreamView);
template void cross_entropy(const CrossEntropy<bf16>&, StreamView);
template void cross_entropy(const CrossEntropy<double>&, StreamView);
