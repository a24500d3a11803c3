// The loss of a micro-batch, one block.
//
//   sum[0] += sum_n weights[n] * values[n], terms of weight 0 left out whatever their value
//
// Shapes    values, weights [N]; sum [1].
// Threads   Thread t sums the terms t, t + 256, ...; then a tree over the threads.
// Traffic   8N bytes, of N tokens: far too few to bind anything but the launch.
// Numerics  Products of floats are exact in double; sums in double, in one fixed order.
// Requires  count > 0.
// Shared    2 KiB, a double a thread; a step of the tree touches consecutive ones.

#include "kernels/cross_entropy/weighted_sum.h"

#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {
namespace {

constexpr unsigned kThreads = 256;

__global__ void weighted_sum_one_block(WeightedSum<float> args) {
    __shared__ double sums[kThreads];
    double sum = 0.0;
    for (int64_t n = threadIdx.x; n < args.count; n += kThreads)
        if (args.weights[n] != 0.0f) sum += double{args.weights[n]} * double{args.values[n]};
    sums[threadIdx.x] = sum;
    for (unsigned half = kThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) *args.sum += sums[0];
}

}  // namespace

void weighted_sum(const WeightedSum<float>& args, StreamView stream) {
    launch(weighted_sum_one_block, {.grid = 1, .block = kThreads, .stream = stream}, args);
}

}  // namespace FETTLE_DEVICE
