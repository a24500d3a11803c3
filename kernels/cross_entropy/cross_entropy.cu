// Cross-entropy and its gradient: one block per row of logits.
//
//   logprob[n] = logits[n, target[n]] - log sum_v exp(logits[n,v])
//   grad_logits[n,v] = grad_logprob[n] * ([v == target[n]] - softmax(logits[n])[v])
//
// Shapes    logits, grad_logits [N,V]; logprob, targets, grad_logprob [N].
// Threads   Block n owns row n; thread t its logits t, t + 512, ... with a running maximum and sum
//           of its own; a tree over the threads joins them.
// Traffic   A row is read twice and, with a gradient, written once: 8NV bytes read, of which the
//           second half comes from the L2 where it holds the rows of the blocks that run, and NV
//           elements written. Memory-bound.
// Numerics  A new maximum rescales the sum. The target's gradient is -expm1(logprob), not
//           1 - softmax, which cancels when the model is sure. -infinity is a probability of 0; NaN
//           and +infinity make the row NaN. One fixed order: bitwise repeatable.
// Requires  rows, vocabulary > 0. grad_logits may be logits: every thread has read the target's
//           logit before any thread writes.
// Shared    4 KiB: a maximum and a sum a thread; a step of the tree touches consecutive ones.

#include "kernels/cross_entropy/cross_entropy.h"

#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {
namespace {

constexpr unsigned kThreads = 512;

// Of some logits: the largest, and sum of exp(logit - largest).
struct Softmax {
    float largest = -INFINITY;
    float sum = 0.0f;

    // What is subtracted: as long as all is -infinity, 0, for -infinity minus itself is NaN.
    __device__ float shift() const { return largest == -INFINITY ? 0.0f : largest; }
    __device__ void add(float logit) {
        if (logit > largest) {
            sum *= expf(largest - logit);
            largest = logit;
        }
        sum += expf(logit - shift());
    }
    __device__ void add(const Softmax& other) {
        const float before = largest;
        largest = fmaxf(largest, other.largest);
        sum = sum * expf(before - shift()) + other.sum * expf(other.largest - shift());
    }
};

__device__ Softmax softmax_of_row(const float* logits, int64_t vocabulary, Softmax* shared) {
    Softmax own;
    for (int64_t v = threadIdx.x; v < vocabulary; v += kThreads) own.add(logits[v]);
    shared[threadIdx.x] = own;
    for (unsigned half = kThreads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) shared[threadIdx.x].add(shared[threadIdx.x + half]);
    }
    __syncthreads();
    return shared[0];
}

template <typename T>
__global__ void cross_entropy_block_per_row(CrossEntropy<T> args) {
    FETTLE_DYNAMIC_SHARED(Softmax, shared);  // [threads]
    const int64_t n = blockIdx.x;
    const float* logits = args.logits + n * args.vocabulary;                        // [V]
    T* grad = args.grad_logits ? args.grad_logits + n * args.vocabulary : nullptr;  // [V]
    const int32_t target = args.targets[n];
    if (target < 0) {
        if (threadIdx.x == 0) args.logprob[n] = 0.0f;
        if (grad == nullptr) return;
        for (int64_t v = threadIdx.x; v < args.vocabulary; v += kThreads) grad[v] = T(0.0f);
        return;
    }
    const float target_logit = logits[target];
    const Softmax softmax = softmax_of_row(logits, args.vocabulary, shared);
    const float logprob = (target_logit - softmax.shift()) - logf(softmax.sum);
    if (threadIdx.x == 0) args.logprob[n] = logprob;
    if (grad == nullptr) return;

    const float grad_logprob = args.grad_logprob[n];
    const float scale = -grad_logprob / softmax.sum;
    for (int64_t v = threadIdx.x; v < args.vocabulary; v += kThreads)
        grad[v] = T(v == target ? grad_logprob * -expm1f(logprob)
                                : scale * expf(logits[v] - softmax.shift()));
}

}  // namespace

template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView stream) {
    launch(cross_entropy_block_per_row<T>,
           {.grid = static_cast<unsigned>(args.rows),
            .block = kThreads,
            .shared_bytes = kThreads * sizeof(Softmax),
            .stream = stream},
           args);
}

template void cross_entropy(const CrossEntropy<float>&, StreamView);
template void cross_entropy(const CrossEntropy<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
