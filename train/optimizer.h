// AdamW over the parameter table: the whole model in a few flat runs.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/buffer.h"
#include "model/parameter_store.h"

struct AdamWOptions {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.0;
    double max_grad_norm = 1.0;  // 0: no clipping
};

template <typename T>
class Optimizer {
public:
    // Borrows the store; allocates its master (if T is not what masters are kept in) and moments.
    // `stream` is on the store's device.
    Optimizer(ParameterStore<T>& store, const AdamWOptions& options, StreamView stream = {});

    struct Norm {
        double norm = 0.0;  // of all gradients, before clipping
        bool finite = true;
    };
    // Update number `step` (1-based) from the store's gradients; none if they are not finite.
    Norm update(int64_t step, double learning_rate);

private:
    // Neighbours in the table that share their settings.
    struct Run {
        int64_t first;
        int64_t count;
        bool decay;
    };

    ParameterStore<T>& store_;
    const AdamWOptions options_;
    const StreamView stream_;
    std::vector<Run> runs_;
    Buffer<double> norm_;  // [1]
    Buffer<float> scale_;  // [1]
    Buffer<int> finite_;   // [1]
    Buffer<unsigned char> scratch_;
};

// True if the optimiser's fp32 weights are a copy of their own beside the model's.
template <typename T>
constexpr bool kSeparateMaster = !std::is_same_v<T, Accumulator<T>>;
