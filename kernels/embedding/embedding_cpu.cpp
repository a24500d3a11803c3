// Embedding on the cpu device.
//
// Threads   forward: pieces of consecutive tokens. Backward: slices of channels; the owner of a
//           slice adds every token in order, so no two threads meet and equal ids need no care.
// Traffic   forward reads NC elements a table and writes NC; backward reads NC and reads and writes
//           NC accumulators a table. Memory-bound.
// Numerics  the order of additions is that of the tokens.

#include <algorithm>

#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/embedding/embedding.h"

namespace on_cpu {
namespace {

constexpr int kSlice = 64;  // channels: whole cache lines

// table[ids[n], begin .. end] += grad_out[n, begin .. end] for every token in turn.
template <typename T>
void add_slice(Accumulator<T>* table, const int32_t* ids, const EmbeddingBackward<T>& args,
               int64_t begin, int64_t end) {
    if (table == nullptr) return;
    for (int64_t n = 0; n < args.rows; ++n) {
        Accumulator<T>* to = table + int64_t{ids[n]} * args.channels;  // [C]
        const T* from = args.grad_out + n * args.channels;             // [C]
#pragma omp simd
        for (int64_t c = begin; c < end; ++c) to[c] += static_cast<Accumulator<T>>(from[c]);
    }
}

}  // namespace

template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView) {
    const int64_t channels = args.channels;
    parallel_for(args.rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            T* out = args.out + n * channels;                               // [C]
            const T* token = args.token_table + args.tokens[n] * channels;  // [C]
            if (args.position_table == nullptr) {
                std::copy(token, token + channels, out);
                continue;
            }
            const T* position = args.position_table + args.positions[n] * channels;  // [C]
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c)
                store(out[c], float(token[c]) + float(position[c]));
        }
    });
}

template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView) {
    const int64_t slices = (args.channels + kSlice - 1) / kSlice;
    parallel_for(slices, 1, [&](int64_t first, int64_t last) {
        const int64_t begin = first * kSlice;
        const int64_t end = std::min<int64_t>(last * kSlice, args.channels);
        add_slice(args.grad_token_table, args.tokens, args, begin, end);
        add_slice(args.grad_position_table, args.positions, args, begin, end);
    });
}

template void embedding_forward(const EmbeddingForward<float>&, StreamView);
template void embedding_forward(const EmbeddingForward<bf16>&, StreamView);
template void embedding_backward(const EmbeddingBackward<float>&, StreamView);
template void embedding_backward(const EmbeddingBackward<bf16>&, StreamView);

}  // namespace on_cpu
