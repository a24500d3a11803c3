// Embedding as the contract writes it, token after token: the oracle, and the double
// instantiation's form.
#pragma once

#include "kernels/embedding/embedding.h"

template <typename T>
void embedding_forward_reference(const EmbeddingForward<T>& args, StreamView = {}) {
    const int64_t channels = args.channels;
    for (int64_t n = 0; n < args.rows; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
            auto sum = static_cast<double>(args.token_table[args.tokens[n] * channels + c]);
            if (args.position_table != nullptr)
                sum += static_cast<double>(args.position_table[args.positions[n] * channels + c]);
            args.out[n * channels + c] = T(sum);
        }
    }
}

template <typename T>
void embedding_backward_reference(const EmbeddingBackward<T>& args, StreamView = {}) {
    using Sum = Accumulator<T>;
    const int64_t channels = args.channels;
    for (int64_t n = 0; n < args.rows; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
            const auto grad = static_cast<Sum>(args.grad_out[n * channels + c]);
            if (args.grad_token_table != nullptr)
                args.grad_token_table[args.tokens[n] * channels + c] += grad;
            if (args.grad_position_table != nullptr)
                args.grad_position_table[args.positions[n] * channels + c] += grad;
        }
    }
}
