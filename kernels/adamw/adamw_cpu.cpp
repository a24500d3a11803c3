// AdamW on the cpu device: one pass over memory, bound by it.

#include "kernels/adamw/adamw_scalars.h"
#include "kernels/core/parallel.h"

namespace on_cpu {
namespace {

constexpr int64_t kParametersPerPiece = 4096;

// The arrays never overlap, except that weight may be master, which is why master is stored first.
template <typename T>
void update_piece(const AdamW<T>& args, const AdamWScalars& scalars, float scale, int64_t begin,
                  int64_t end) {
    T* weight = args.weight;                // [count]
    float* master = args.master;            // [count]
    float* moment1 = args.moment1;          // [count]
    float* moment2 = args.moment2;          // [count]
    const float* gradient = args.gradient;  // [count]
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
        const float updated =
            adamw_update(scalars, gradient[i] * scale, master[i], moment1[i], moment2[i]);
        master[i] = updated;
        weight[i] = T(updated);
    }
}

}  // namespace

template <typename T>
void adamw(const AdamW<T>& args, StreamView) {
    if (args.finite != nullptr && *args.finite == 0) return;
    const AdamWScalars scalars = adamw_scalars(args);
    const float scale = args.gradient_scale != nullptr ? *args.gradient_scale : 1.0f;
    parallel_for(args.count, kParametersPerPiece, [&](int64_t begin, int64_t end) {
        update_piece(args, scalars, scale, begin, end);
    });
}

template void adamw(const AdamW<float>&, StreamView);
template void adamw(const AdamW<bf16>&, StreamView);

}  // namespace on_cpu
