// Cross-entropy on the cpu device: an online softmax by blocks, then the gradient.
//
// Threads   a row each; the compiler vectorises within a block of kBlock logits.
// Traffic   a row is read from memory once: a block's maximum and its sum of exponentials are taken
//           while it lies in the L1 cache, the gradient reads the row again from the L2 cache,
//           which holds a row of 500,000 logits. 4NV bytes read and NV elements written:
//           memory-bound, closely followed by the two exponentials a logit.
// Numerics  A running maximum; a new one rescales the sum, blocks in order. The target's gradient
//           is -expm1(logprob), not 1 - softmax, which cancels when the model is sure.
//           -infinity is a probability of 0; NaN and +infinity make the row NaN.
// Requires  grad_logits is logits or does not overlap it.

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/lanes.h"
#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace on_cpu {
namespace {

constexpr int64_t kBlock = 1024;  // logits: 4 KiB
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

struct Softmax {
    float largest = 0.0f;  // what is subtracted from every logit
    float sum = 0.0f;      // of exp(logit - largest)
};

Softmax softmax_of(const float* logits, int64_t count) {
    float largest = kMinusInfinity;
    float sum = 0.0f;
    for (int64_t first = 0; first < count; first += kBlock) {
        const float* block = logits + first;
        const int64_t size = std::min(kBlock, count - first);
        const float larger =
            std::max(largest, max_in_lanes(size, [block](int64_t v) { return block[v]; }));
        // Nothing but -infinity so far: subtracting it would make NaNs, subtracting 0 makes zeros.
        const float shift = larger == kMinusInfinity ? 0.0f : larger;
        if (larger > largest) sum *= exp_fast(largest - shift);
        float terms[kBlock];
#pragma omp simd
        for (int64_t v = 0; v < size; ++v) terms[v] = exp_fast(block[v] - shift);
        sum += sum_in_lanes(size, [&terms](int64_t v) { return terms[v]; });
        largest = larger;
    }
    return {largest == kMinusInfinity ? 0.0f : largest, sum};
}

template <typename T>
void write_gradient(T* grad_logits, const float* logits, int64_t count, const Softmax& softmax,
                    float grad_logprob) {
    const float shift = softmax.largest;
    const float scale = -grad_logprob / softmax.sum;
#pragma omp simd
    for (int64_t v = 0; v < count; ++v) store(grad_logits[v], scale * exp_fast(logits[v] - shift));
}

}  // namespace

template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView) {
    parallel_for(args.rows, 1, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const float* logits = args.logits + n * args.vocabulary;  // [V]
            T* grad_logits =                                          // [V]
                args.grad_logits == nullptr ? nullptr : args.grad_logits + n * args.vocabulary;
            const int32_t target = args.targets[n];
            if (target < 0) {
                args.logprob[n] = 0.0f;
                if (grad_logits != nullptr)
                    std::fill(grad_logits, grad_logits + args.vocabulary, T(0.0f));
                continue;
            }
            const Softmax softmax = softmax_of(logits, args.vocabulary);
            const float logprob = (logits[target] - softmax.largest) - std::log(softmax.sum);
            args.logprob[n] = logprob;
            if (grad_logits == nullptr) continue;
            write_gradient(grad_logits, logits, args.vocabulary, softmax, args.grad_logprob[n]);
            grad_logits[target] = T(args.grad_logprob[n] * -std::expm1(logprob));
        }
    });
}

template void cross_entropy(const CrossEntropy<float>&, StreamView);
template void cross_entropy(const CrossEntropy<bf16>&, StreamView);

}  // namespace on_cpu
