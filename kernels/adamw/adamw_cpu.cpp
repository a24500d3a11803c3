// AdamW on the cpu device: one pass over memory, bound by it.

#include "kernels/adamw/adamw_scalars.h"
#include "kernels/core/parallel.h"

namespace on_cpu {
namespace {

constexpr int64_t kParametersPerPiece = 4096;

template <typename T>
inline void update(const AdamW<T>& args, const AdamWScalars& scalars, float scale, int64_t i) {
    const float g = args.gradient[i] * scale;
    const float updated =
        adamw_update(scalars, g, args.master[i], args.moment1[i], args.moment2[i]);
    args.master[i] = updated;
    args.weight[i] = T(updated);
}

// The arrays do not overlap, except that weight may be master, at the same index: `omp simd` holds.
// A bf16 declared in this loop's own body would keep g++ from vectorising it.
template <typename T>
void update_piece(AdamW<T> args, AdamWScalars scalars, float scale, int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) update(args, scalars, scale, i);
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
