// LayerNorm with the residual addition before it, forward and backward: one warp per row.
//
//   x[n,c]   = input[n,c] + branch[n,c]
//   mean[n]  = sum_c x[n,c] / C
//   rstd[n]  = 1 / sqrt(sum_c (x[n,c] - mean[n])^2 / C + epsilon)
//   out[n,c] = (x[n,c] - mean[n]) * rstd[n] * weight[c] + bias[c]
//
//   with g = grad_out * weight and h = (x - mean) * rstd:
//   grad_input   = rstd * (g - mean_c(g) - h * mean_c(g * h)) + grad_residual
//   grad_weight += sum_n grad_out * h,   grad_bias += sum_n grad_out
//
// Shapes    input, branch, out, residual_out, grad_out, grad_residual, grad_input [N,C] row-major;
//           weight, bias, grad_weight, grad_bias [C]; mean, rstd [N]; N tokens.
// Threads   Forward: warp w of block b owns row 8b + w; lane l owns columns l, l+32, ...
//           Backward: block b owns run b of layernorm_blocks(N); its warp w takes the rows w, w+W,
//           ... of the run, lane l the columns l, l+32, ...; then thread t of the block sums
//           columns t, t+32W, ... over the warps. A second kernel, a thread a column, sums over the
//           runs.
// Traffic   A row of 768 floats is 3 KiB, so that all passes after the first should hit L1. DRAM
//           sees forward s*2NC (4NC with a branch), backward s*3NC (4NC with a residual) bytes for
//           elements of s bytes, and 16C bytes of partial sums a run, half written, half read.
//           Both are memory-bound.
// Numerics  Float sums in a fixed order, no atomics: bitwise repeatable. Two passes for the
//           variance, because E[x^2] - mean^2 cancels when |mean| >> std. x is rounded to T before
//           it is used.
// Requires  channels > 0, and for the backward at most kMaxChannels; rows > 0. residual_out may be
//           input; grad_input may be grad_residual: a lane reads an element before it writes it.
// Shared    Backward: 8C bytes a warp, its sums of grad_weight and grad_bias. Lanes touch
//           consecutive words: no bank conflicts. W is the largest of 8, 4, 2, 1 that fits
//           64 KiB, or 1.

#include "kernels/normalization/layernorm.h"

#include "kernels/core/check.h"
#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"
#include "kernels/normalization/row_sums.cuh"

namespace FETTLE_DEVICE {  // on_cuda or on_simt: this file is compiled for both
namespace {

constexpr int kRowsPerBlock = 8;  // one warp each: 256 threads
constexpr int kMaxChannels = kMaxSumWidth / 2;

template <typename T>
__global__ void layernorm_forward_warp_per_row(LayerNormForward<T> args) {
    const int lane = threadIdx.x % kWarpSize;
    const int64_t row = int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarpSize;
    if (row >= args.rows) return;  // whole warps leave together, so shuffles stay full

    const T* x = args.input + row * args.channels;  // [C]
    float sum = 0.0f;
    if (args.branch != nullptr) {
        const T* branch = args.branch + row * args.channels;  // [C]
        T* added = args.residual_out + row * args.channels;   // [C]  may be x
        for (int c = lane; c < args.channels; c += kWarpSize) {
            added[c] = T(float(x[c]) + float(branch[c]));
            sum += float(added[c]);
        }
        x = added;
    } else {
        for (int c = lane; c < args.channels; c += kWarpSize) sum += float(x[c]);
    }
    const float mean = warp_sum(sum) / args.channels;

    float sum_sq = 0.0f;
    for (int c = lane; c < args.channels; c += kWarpSize) {
        const float centred = float(x[c]) - mean;
        sum_sq += centred * centred;
    }
    const float rstd = rsqrtf(warp_sum(sum_sq) / args.channels + float(args.epsilon));

    // Not __restrict__: nvcc would take the input, which residual_out may be, for read-only memory.
    T* out = args.out + row * args.channels;  // [C]
    for (int c = lane; c < args.channels; c += kWarpSize)
        out[c] = T((float(x[c]) - mean) * rstd * float(args.weight[c]) + float(args.bias[c]));

    if (lane == 0) {
        args.mean[row] = mean;
        args.rstd[row] = rstd;
    }
}

// One row's grad_input; its terms of the sums over rows are added to sums [2, C], which only this
// lane's warp uses, and of which only this lane uses columns lane, lane + 32, ...
template <typename T>
__device__ void backward_row(const LayerNormBackward<T>& args, int64_t row, float* sums) {
    const int lane = threadIdx.x % kWarpSize;
    const int C = args.channels;
    const T* x = args.input + row * C;            // [C]
    const T* grad_out = args.grad_out + row * C;  // [C]
    const float mean = args.mean[row];
    const float rstd = args.rstd[row];

    float sum_g = 0.0f, sum_gh = 0.0f;
    for (int c = lane; c < C; c += kWarpSize) {
        const float g = float(grad_out[c]) * float(args.weight[c]);
        const float h = (float(x[c]) - mean) * rstd;
        sum_g += g;
        sum_gh += g * h;
        sums[c] += float(grad_out[c]) * h;
        sums[C + c] += float(grad_out[c]);
    }
    const float mean_g = warp_sum(sum_g) / C;
    const float mean_gh = warp_sum(sum_gh) / C;

    for (int c = lane; c < C; c += kWarpSize) {
        const float g = float(grad_out[c]) * float(args.weight[c]);
        const float h = (float(x[c]) - mean) * rstd;
        float grad = rstd * (g - mean_g - h * mean_gh);
        if (args.grad_residual != nullptr) grad += float(args.grad_residual[row * C + c]);
        args.grad_input[row * C + c] = T(grad);
    }
}

template <typename T>
__global__ void layernorm_backward_warp_per_row(LayerNormBackward<T> args) {
    FETTLE_DYNAMIC_SHARED(float, sums);                         // [warps, 2, C]
    float* own_sums = begin_row_sums(sums, 2 * args.channels);  // [2, C]
    const int warps = blockDim.x / kWarpSize;
    const int64_t begin = args.rows * blockIdx.x / gridDim.x;
    const int64_t end = args.rows * (blockIdx.x + 1) / gridDim.x;
    for (int64_t row = begin + threadIdx.x / kWarpSize; row < end; row += warps)
        backward_row(args, row, own_sums);
    end_row_sums(args.scratch, sums, 2 * args.channels);
}

template <typename T>
__global__ void layernorm_backward_sum_runs(LayerNormBackward<T> args, int runs) {
    const int width = 2 * args.channels;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= width) return;
    const float sum = sum_of_runs(args.scratch, runs, width, i);
    if (i < args.channels) {
        args.grad_weight[i] += sum;
    } else {
        args.grad_bias[i - args.channels] += sum;
    }
}

}  // namespace

template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView stream) {
    const auto blocks = static_cast<unsigned>(ceil_div<int64_t>(args.rows, kRowsPerBlock));
    launch(layernorm_forward_warp_per_row<T>,
           {.grid = blocks, .block = kRowsPerBlock * kWarpSize, .stream = stream}, args);
}

template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView stream) {
    ENSURE(args.channels <= kMaxChannels, "layernorm_backward: {} channels, expected at most {}",
           args.channels, kMaxChannels);
    const int runs = layernorm_blocks(args.rows);
    const int width = 2 * args.channels;
    launch(layernorm_backward_warp_per_row<T>, row_sums_shape(runs, width, stream), args);
    launch(layernorm_backward_sum_runs<T>, sum_of_runs_shape(width, stream), args, runs);
}

template void layernorm_forward(const LayerNormForward<float>&, StreamView);
template void layernorm_forward(const LayerNormForward<bf16>&, StreamView);
template void layernorm_backward(const LayerNormBackward<float>&, StreamView);
template void layernorm_backward(const LayerNormBackward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
