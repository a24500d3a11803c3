// AdamW: one thread per parameter. The formula is adamw.h's, in adamw_update.
//
// Shapes    weight, master, moment1, moment2, gradient [count]; gradient_scale, finite [1].
// Threads   Thread i of the grid owns parameter i.
// Traffic   Reads gradient, master and both moments, writes master, both moments and the weight: 28
//           bytes a parameter and the weight's own (none if it is the master). Memory-bound; a
//           warp's accesses are consecutive, so each is a whole number of sectors.
// Numerics  Float, no sums: the scalars are rounded once from double, on the host.
// Requires  count > 0. weight may be master: a thread writes both, the same value.
//
// Deliberately absent: 128-bit accesses. Parameters begin anywhere in a flat run, so most would
// need a scalar head and tail; enough threads in flight hide the latency of the narrow ones.

#include "kernels/adamw/adamw_scalars.h"
#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void adamw_thread_per_parameter(AdamW<T> args, AdamWScalars scalars) {
    if (args.finite != nullptr && *args.finite == 0) return;
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= args.count) return;
    const float scale = args.gradient_scale != nullptr ? *args.gradient_scale : 1.0f;
    const float updated = adamw_update(scalars, args.gradient[i] * scale, args.master[i],
                                       args.moment1[i], args.moment2[i]);
    args.master[i] = updated;
    args.weight[i] = T(updated);
}

}  // namespace

template <typename T>
void adamw(const AdamW<T>& args, StreamView stream) {
    const auto blocks = static_cast<unsigned>(ceil_div<int64_t>(args.count, kThreads));
    launch(adamw_thread_per_parameter<T>, {.grid = blocks, .block = kThreads, .stream = stream},
           args, adamw_scalars(args));
}

template void adamw(const AdamW<float>&, StreamView);
template void adamw(const AdamW<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
