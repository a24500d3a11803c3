// Global gradient norm and the factor that clips it: blocks of the gradient, then their sums.
//
//   norm = sqrt(sum_i gradient[i]^2),  scale = min(1, max_norm / (norm + 1e-6))   (max_norm 0: 1)
//
// Shapes    gradient [count]; norm, scale, finite [1]; scratch: a double for every
//           kGradientNormBlock elements.
// Threads   Block b owns elements kGradientNormBlock * b + ...; thread t sums the squares of
//           elements t, t + 256, ... of them; then a tree over the threads. A second kernel does
//           the same for the blocks' sums, with one block.
// Traffic   4 bytes an element, read once: memory-bound.
// Numerics  Squares of floats are exact in double; one fixed order, which is not the cpu form's.
// Requires  count >= 0.
// Shared    2 KiB, a double a thread; a step of the tree touches consecutive ones.

#include "kernels/gradient_norm/gradient_norm.h"

#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {
namespace {

constexpr unsigned kThreads = 256;

// The block's sum, for thread 0.
__device__ double sum_over_block(double sum, double* sums) {
    sums[threadIdx.x] = sum;
    for (unsigned half = kThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    return threadIdx.x == 0 ? sums[0] : 0.0;  // who reads it wrote it
}

__global__ void gradient_norm_square_blocks(GradientNorm<float> args) {
    __shared__ double sums[kThreads];
    const int64_t first = int64_t{blockIdx.x} * kGradientNormBlock;
    const int64_t end = min(first + kGradientNormBlock, args.count);
    double sum = 0.0;
    for (int64_t i = first + threadIdx.x; i < end; i += kThreads) {
        const auto value = double{args.gradient[i]};
        sum += value * value;
    }
    sum = sum_over_block(sum, sums);
    if (threadIdx.x == 0) static_cast<double*>(args.scratch)[blockIdx.x] = sum;
}

__global__ void gradient_norm_sum_blocks(GradientNorm<float> args, int64_t blocks) {
    __shared__ double sums[kThreads];
    const double* partial = static_cast<const double*>(args.scratch);  // [blocks]
    double sum = 0.0;
    for (int64_t b = threadIdx.x; b < blocks; b += kThreads) sum += partial[b];
    sum = sum_over_block(sum, sums);
    if (threadIdx.x != 0) return;
    const double norm = sqrt(sum);
    const bool finite = norm < INFINITY;  // not of NaN
    const double clip = args.max_norm == 0.0 ? 1.0 : min(1.0, args.max_norm / (norm + 1e-6));
    *args.norm = norm;
    *args.scale = finite ? float(clip) : 0.0f;
    *args.finite = finite ? 1 : 0;
}

}  // namespace

void gradient_norm(const GradientNorm<float>& args, StreamView stream) {
    const int64_t blocks = ceil_div(args.count, kGradientNormBlock);
    if (blocks > 0)
        launch(gradient_norm_square_blocks,
               {.grid = static_cast<unsigned>(blocks), .block = kThreads, .stream = stream}, args);
    launch(gradient_norm_sum_blocks, {.grid = 1, .block = kThreads, .stream = stream}, args,
           blocks);
}

}  // namespace FETTLE_DEVICE
