// The gradient of a bias: sums over rows in runs, then over the runs.
//
//   grad_bias[n] += sum_m grad_out[m,n]
//
// Shapes    grad_out [M,N], rows `stride` elements apart; grad_bias [N].
// Threads   Block (x, r) owns columns 256x + {0..255}, one a thread, of run r of
//           kBiasGradientRuns consecutive runs of rows. A second kernel, a thread a column, adds
//           the runs in order.
// Traffic   Reads MN elements once, a warp 32 consecutive ones at a time; memory-bound where M is
//           large. The partial sums are 8 N kBiasGradientRuns bytes, half written, half read.
// Numerics  Float sums, rows of a run in order, then the runs: the order of the cpu form.
// Requires  m, n > 0; scratch of bias_gradient_scratch_bytes(n).

#include "kernels/core/launch.h"
#include "kernels/matmul/matmul.h"

namespace FETTLE_DEVICE {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void bias_gradient_sum_rows(BiasGradient<T> args) {
    const int64_t n = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (n >= args.n) return;
    const int64_t end = args.m * (blockIdx.y + 1) / kBiasGradientRuns;
    float sum = 0.0f;
    for (int64_t m = args.m * blockIdx.y / kBiasGradientRuns; m < end; ++m)
        sum += float(args.grad_out[m * args.stride + n]);
    static_cast<float*>(args.scratch)[blockIdx.y * args.n + n] = sum;
}

template <typename T>
__global__ void bias_gradient_sum_runs(BiasGradient<T> args) {
    const int64_t n = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    if (n >= args.n) return;
    const float* partial = static_cast<const float*>(args.scratch);  // [runs, N]
    float sum = args.grad_bias[n];
    for (int64_t run = 0; run < kBiasGradientRuns; ++run) sum += partial[run * args.n + n];
    args.grad_bias[n] = sum;
}

}  // namespace

template <typename T>
void bias_gradient(const BiasGradient<T>& given, StreamView stream) {
    BiasGradient<T> args = given;
    if (args.stride == 0) args.stride = args.n;
    const auto blocks = static_cast<unsigned>(ceil_div<int64_t>(args.n, kThreads));
    launch(bias_gradient_sum_rows<T>,
           {.grid = {blocks, static_cast<unsigned>(kBiasGradientRuns)},
            .block = kThreads,
            .stream = stream},
           args);
    launch(bias_gradient_sum_runs<T>, {.grid = blocks, .block = kThreads, .stream = stream}, args);
}

template void bias_gradient(const BiasGradient<float>&, StreamView);
template void bias_gradient(const BiasGradient<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
