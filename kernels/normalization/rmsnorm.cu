// RMSNorm with the residual addition before it, forward and backward: one warp per group.
//
//   x[n,g,d]   = input[n,g,d] + branch[n,g,d]
//   rstd[n,g]  = 1 / sqrt(sum_d x[n,g,d]^2 / D + epsilon)
//   out[n,g,d] = x[n,g,d] * rstd[n,g] * weight[d]
//
//   with p = grad_out * weight and h = x * rstd:
//   grad_input   = rstd * (p - h * mean_d(p * h)) + grad_residual
//   grad_weight += sum_n,g grad_out * h
//
// Shapes    input, branch, residual_out, grad_residual, grad_input [N,G,D], a row input_stride
//           elements; out, grad_out [N,G,D], a row out_stride elements; weight, grad_weight [D];
//           rstd [N,G]. A decoder's norm has G = 1; norms of q and k have a group a head.
// Threads   Forward: warp w of block (b, g) owns group g of row 8b + w; lane l owns channels l,
//           l+32, ... Backward: block b owns run b of rmsnorm_blocks(N); its W warps take the run's
//           groups in turn, the channels as above. A second kernel, a thread a channel, sums over
//           the runs (row_sums.cuh).
// Traffic   A row of 2048 floats is 8 KiB, so that the second pass should hit L1. DRAM sees forward
//           s*2NGD (4NGD with a branch), backward s*3NGD (4NGD with a residual) bytes for elements
//           of s bytes, and 8D bytes of partial sums a run, half written, half read. Both are
//           memory-bound.
// Numerics  Float sums in a fixed order, no atomics: bitwise repeatable. x is rounded to T before
//           it is used; x * rstd is not.
// Requires  rows, groups, channels > 0; at most kMaxGroups groups (forward), kMaxSumWidth channels
//           (backward).
//           residual_out may be input; grad_input may be grad_residual or grad_out: a lane reads an
//           element before it writes it, and no other lane reads it.
// Shared    Backward: 4D bytes a warp, its sums of grad_weight. Lanes touch consecutive words: no
//           bank conflicts. W is the largest of 8, 4, 2, 1 that fits 64 KiB, or 1.

#include "kernels/normalization/rmsnorm.h"

#include "kernels/core/check.h"
#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"
#include "kernels/normalization/row_sums.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kRowsPerBlock = 8;    // one warp each: 256 threads
constexpr int kMaxGroups = 65'535;  // a grid's y

template <typename T>
__global__ void rmsnorm_forward_warp_per_group(RmsNormForward<T> args) {
    const int lane = threadIdx.x % kWarpSize;
    const int64_t row = int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarpSize;
    if (row >= args.rows) return;  // whole warps leave together, so shuffles stay full

    const int64_t group = blockIdx.y;
    const int64_t in = row * args.input_stride + group * args.channels;
    const T* x = args.input + in;  // [D]
    float sum = 0.0f;
    if (args.branch != nullptr) {
        const T* branch = args.branch + in;  // [D]
        T* added = args.residual_out + in;   // [D]  may be x
        for (int d = lane; d < args.channels; d += kWarpSize) {
            const T rounded(float(x[d]) + float(branch[d]));
            added[d] = rounded;
            sum += float(rounded) * float(rounded);
        }
        x = added;
    } else {
        for (int d = lane; d < args.channels; d += kWarpSize) sum += float(x[d]) * float(x[d]);
    }
    const float rstd = rsqrtf(warp_sum(sum) / args.channels + float(args.epsilon));

    // Not __restrict__: nvcc would take the input, which residual_out may be, for read-only memory.
    T* out = args.out + row * args.out_stride + group * args.channels;  // [D]
    for (int d = lane; d < args.channels; d += kWarpSize)
        out[d] = T(float(x[d]) * rstd * float(args.weight[d]));

    if (lane == 0) args.rstd[row * args.groups + group] = rstd;
}

// One group's grad_input; its terms of grad_weight are added to sums [D], which only this lane's
// warp uses, and of which only this lane uses channels lane, lane + 32, ...
template <typename T>
__device__ void backward_group(const RmsNormBackward<T>& args, int64_t row, int64_t group,
                               float* sums) {
    const int lane = threadIdx.x % kWarpSize;
    const int64_t in = row * args.input_stride + group * args.channels;
    const T* x = args.input + in;                                                       // [D]
    const T* grad_out = args.grad_out + row * args.out_stride + group * args.channels;  // [D]
    const float rstd = args.rstd[row * args.groups + group];

    float sum = 0.0f;
    for (int d = lane; d < args.channels; d += kWarpSize) {
        const float h = float(x[d]) * rstd;
        sum += float(grad_out[d]) * float(args.weight[d]) * h;
        sums[d] += float(grad_out[d]) * h;
    }
    const float mean = warp_sum(sum) / args.channels;

    for (int d = lane; d < args.channels; d += kWarpSize) {
        const float h = float(x[d]) * rstd;
        float grad = rstd * (float(grad_out[d]) * float(args.weight[d]) - h * mean);
        if (args.grad_residual != nullptr) grad += float(args.grad_residual[in + d]);
        args.grad_input[in + d] = T(grad);
    }
}

// Warp w takes the run's groups w, w + W, ..., counted row by row.
template <typename T>
__global__ void rmsnorm_backward_warp_per_group(RmsNormBackward<T> args) {
    FETTLE_DYNAMIC_SHARED(float, sums);  // [warps, D]
    float* own_sums = begin_row_sums(sums, args.channels);
    const int64_t end = args.rows * (blockIdx.x + 1) / gridDim.x;
    int64_t row = args.rows * blockIdx.x / gridDim.x;
    for (int group = threadIdx.x / kWarpSize;; group += blockDim.x / kWarpSize) {
        for (; group >= args.groups; group -= args.groups) ++row;
        if (row >= end) break;
        backward_group(args, row, group, own_sums);
    }
    end_row_sums(args.scratch, sums, args.channels);
}

template <typename T>
__global__ void rmsnorm_backward_sum_runs(RmsNormBackward<T> args, int runs) {
    const int d = blockIdx.x * blockDim.x + threadIdx.x;
    if (d >= args.channels) return;
    args.grad_weight[d] += sum_of_runs(args.scratch, runs, args.channels, d);
}

}  // namespace

template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView stream) {
    ENSURE(args.groups <= kMaxGroups, "rmsnorm_forward: {} groups, expected at most {}",
           args.groups, kMaxGroups);
    const auto blocks = static_cast<unsigned>(ceil_div<int64_t>(args.rows, kRowsPerBlock));
    launch(rmsnorm_forward_warp_per_group<T>,
           {.grid = {blocks, static_cast<unsigned>(args.groups)},
            .block = kRowsPerBlock * kWarpSize,
            .stream = stream},
           args);
}

template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView stream) {
    ENSURE(args.channels <= kMaxSumWidth, "rmsnorm_backward: {} channels, expected at most {}",
           args.channels, kMaxSumWidth);
    const int runs = rmsnorm_blocks(args.rows);
    launch(rmsnorm_backward_warp_per_group<T>, row_sums_shape(runs, args.channels, stream), args);
    launch(rmsnorm_backward_sum_runs<T>, sum_of_runs_shape(args.channels, stream), args, runs);
}

template void rmsnorm_forward(const RmsNormForward<float>&, StreamView);
template void rmsnorm_forward(const RmsNormForward<bf16>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<float>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
