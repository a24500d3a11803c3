#include "kernels/embedding/embedding.h"

#include "kernels/core/dispatch.h"
#include "kernels/embedding/embedding_reference.h"

namespace on_cpu {
template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView stream);
template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView stream);
template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView stream);
template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView stream);
}  // namespace on_simt

namespace {

template <class Args>
void check_shape(const char* op, const Args& args) {
    ENSURE(args.rows >= 0, "{}: rows is {}, expected at least 0", op, args.rows);
    ENSURE(args.channels > 0, "{}: channels is {}, expected at least 1", op, args.channels);
}

void check_ids(const char* op, const char* name, const int32_t* ids, int64_t rows, bool needed) {
    ENSURE(ids != nullptr || !needed, "{}: {} is null, expected [{}]", op, name, rows);
}

}  // namespace

template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView stream) {
    const char* op = "embedding_forward";
    check_shape(op, args);
    if (args.rows == 0) return;
    ENSURE(args.out != nullptr, "{}: out is null, expected [{}, {}]", op, args.rows, args.channels);
    ENSURE(args.token_table != nullptr, "{}: token_table is null, expected [V, {}]", op,
           args.channels);
    check_ids(op, "tokens", args.tokens, args.rows, true);
    check_ids(op, "positions", args.positions, args.rows, args.position_table != nullptr);
    if constexpr (std::is_same_v<T, double>)
        dispatch(op, args, stream, embedding_forward_reference<T>);
    else
        dispatch(op, args, stream, on_cpu::embedding_forward<T>,
                 FETTLE_CUDA_FORM(on_cuda::embedding_forward<T>), on_simt::embedding_forward<T>);
}

template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView stream) {
    const char* op = "embedding_backward";
    check_shape(op, args);
    if (args.rows == 0) return;
    ENSURE(args.grad_out != nullptr, "{}: grad_out is null, expected [{}, {}]", op, args.rows,
           args.channels);
    check_ids(op, "tokens", args.tokens, args.rows, args.grad_token_table != nullptr);
    check_ids(op, "positions", args.positions, args.rows, args.grad_position_table != nullptr);
    if constexpr (std::is_same_v<T, double>)
        dispatch(op, args, stream, embedding_backward_reference<T>);
    else
        dispatch(op, args, stream, on_cpu::embedding_backward<T>,
                 FETTLE_CUDA_FORM(on_cuda::embedding_backward<T>), on_simt::embedding_backward<T>);
}

template void embedding_forward(const EmbeddingForward<float>&, StreamView);
template void embedding_forward(const EmbeddingForward<bf16>&, StreamView);
template void embedding_forward(const EmbeddingForward<double>&, StreamView);
template void embedding_backward(const EmbeddingBackward<float>&, StreamView);
template void embedding_backward(const EmbeddingBackward<bf16>&, StreamView);
template void embedding_backward(const EmbeddingBackward<double>&, StreamView);
