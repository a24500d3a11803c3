// Sampling: one block per row of logits, without a sort.
//
// A token's rank is its logit's bits, made to order as an integer, followed by ~token: all ranks of
// a row differ, and the most probable token (of equals the first) has the highest. Each of top_k,
// top_p and the draw asks for the same thing: going down the ranks, where does the sum of what the
// tokens count (1 each, or their probabilities) first exceed a goal? The answer is found digit by
// digit, from a histogram of a rank's digit among the tokens that share the digits above it.
//
// Shapes    logits [R,V]; tokens, positions [R]; scratch: masses [R,V], then logits [R,V].
// Threads   Block n owns row n; thread t its tokens t, t + 512, ...
// Traffic   12 bytes a token and digit: 3 searches of 5 to 8 digits read 180V to 288V bytes, out of
//           L2. Bound by shared atomics where most logits share their first digit.
// Numerics  A probability is the integer round(exp((logit - largest) / temperature) 2^s), with
//           s = 62 - the bits of V, so that a row's sum never overflows: sums of integers do not
//           depend on their order, hence atomics that repeat bit for bit. Against double: at V =
//           50,257 a sum is off by at most 4e-10 of the largest probability.
// Requires  rows, vocabulary > 0; tokens in `seen` < V.
// Shared    2 KiB of histogram, two words of 32 bits a digit.

#include "kernels/sample/sample.h"

#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kThreads = 512;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;
constexpr int kDigitsPerLane = kDigits / kWarpSize;

// One row as the searches see it.
struct Ranking {
    const float* logits = nullptr;     // [V]  penalised, never NaN
    const uint64_t* masses = nullptr;  // [V]
    int64_t vocabulary = 0;
    int token_bits = 0;  // whole digits that hold V - 1

    __device__ uint64_t rank(int64_t token) const {
        const unsigned bits = __float_as_uint(logits[token]);
        const unsigned ordered = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
        return (uint64_t{ordered} << token_bits) + ((uint64_t{1} << token_bits) - 1 - token);
    }
    __device__ int32_t token(uint64_t rank) const {
        const uint64_t mask = (uint64_t{1} << token_bits) - 1;
        return int32_t(mask - (rank & mask));
    }
    // The lowest rank of a logit above -infinity, whose bits order as 0x007fffff.
    __device__ uint64_t lowest_usable() const { return uint64_t{0x00800000u} << token_bits; }
};

// What the block has in common. Sums of 64 bits are kept in two words: shared memory adds words of
// 32 bits by itself, and longer ones only in a loop.
struct Shared {
    uint32_t low[kDigits];
    uint32_t high[kDigits];
    uint64_t highest[kThreads / kWarpSize];  // of each warp
    uint64_t before;                         // what tokens above the known digits count
    uint64_t goal;
    uint64_t prefix;  // the known digits
    bool is_found;

    __device__ void add(unsigned digit, uint64_t count) {
        const uint32_t part = uint32_t(count);
        const uint32_t old = atomicAdd(&low[digit], part);
        const uint32_t rest = uint32_t(count >> 32) + uint32_t((uint64_t{old} + part) >> 32);
        if (rest != 0) atomicAdd(&high[digit], rest);
    }
    __device__ uint64_t sum(unsigned digit) const {
        return uint64_t{high[digit]} << 32 | low[digit];
    }
};

// One warp: the digit in which the sum, from the highest digit down, first exceeds the goal. Lane l
// has eight digits, from 255 - 8l down.
template <typename Goal>
__device__ void choose_digit(Shared& shared, int shift, bool is_first, Goal goal_of_total) {
    const unsigned first_digit = kDigits - 1 - threadIdx.x * kDigitsPerLane;
    uint64_t own = 0;
    for (int i = 0; i < kDigitsPerLane; ++i) own += shared.sum(first_digit - i);
    uint64_t through = own;  // lanes 0 to this one
    for (int distance = kWarpSize / 2; distance > 0; distance /= 2) {
        const uint64_t other = __shfl_up_sync(kAllLanes, through, distance);
        if (int(threadIdx.x) >= distance) through += other;
    }
    const uint64_t total = __shfl_sync(kAllLanes, through, kWarpSize - 1);
    const uint64_t goal = is_first ? goal_of_total(total) : shared.goal;
    through += is_first ? 0 : shared.before;
    const unsigned exceeding = __ballot_sync(kAllLanes, through > goal);
    __syncwarp();  // all have read `before`
    if (threadIdx.x == 0) {
        if (is_first) shared.goal = goal;
        shared.is_found = exceeding != 0;
    }
    if (int(threadIdx.x) != __ffs(int(exceeding)) - 1) return;
    uint64_t before = through - own;
    unsigned digit = first_digit;
    for (; before + shared.sum(digit) <= goal; --digit) before += shared.sum(digit);
    shared.before = before;
    shared.prefix = (is_first ? 0 : shared.prefix) | uint64_t{digit} << shift;
}

// The highest rank r >= floor with sum over ranks >= r of what they count > goal_of_total(sum over
// ranks >= floor); floor if there is none.
template <bool kByMass, typename Goal>
__device__ uint64_t search(const Ranking& row, uint64_t floor, Shared& shared, Goal goal_of_total) {
    const int first_shift = 32 + row.token_bits - kDigitBits;
    for (int shift = first_shift; shift >= 0; shift -= kDigitBits) {
        const bool is_first = shift == first_shift;
        const uint64_t prefix = is_first ? 0 : shared.prefix;
        for (unsigned d = threadIdx.x; d < kDigits; d += kThreads)
            shared.low[d] = shared.high[d] = 0;
        __syncthreads();
        for (int64_t token = threadIdx.x; token < row.vocabulary; token += kThreads) {
            const uint64_t rank = row.rank(token);
            if (rank < floor) continue;
            if (!is_first && (rank ^ prefix) >> shift >> kDigitBits != 0) continue;
            shared.add(unsigned(rank >> shift) % kDigits, kByMass ? row.masses[token] : 1);
        }
        __syncthreads();
        if (threadIdx.x < kWarpSize) choose_digit(shared, shift, is_first, goal_of_total);
        __syncthreads();
        if (!shared.is_found) return floor;
    }
    return shared.prefix;
}

// Penalised logits, where NaN became -infinity.
__device__ void adjust(const Sample& args, int row, float* adjusted) {
    const float* logits = args.logits + row * args.vocabulary;  // [V]
    const auto usable = [](float x) { return x == x ? x : -INFINITY; };
    for (int64_t v = threadIdx.x; v < args.vocabulary; v += kThreads)
        adjusted[v] = usable(logits[v]);
    __syncthreads();
    if (args.repetition_penalty != 1.0f) {
        const float penalty = args.repetition_penalty;
        for (int64_t i = args.seen_starts[row] + threadIdx.x; i < args.seen_starts[row + 1];
             i += kThreads) {
            const float x = logits[args.seen[i]];
            const float value = usable(x > 0.0f ? x / penalty : x * penalty);
            atomicExch(&adjusted[args.seen[i]], value);  // the same token may be seen many times
        }
    }
    __syncthreads();
}

__device__ uint64_t highest_rank(const Ranking& row, Shared& shared) {
    uint64_t highest = 0;
    for (int64_t v = threadIdx.x; v < row.vocabulary; v += kThreads)
        highest = max(highest, row.rank(v));
    for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
        highest = max(highest, __shfl_xor_sync(kAllLanes, highest, distance));
    if (threadIdx.x % kWarpSize == 0) shared.highest[threadIdx.x / kWarpSize] = highest;
    __syncthreads();
    for (const uint64_t other : shared.highest) highest = max(highest, other);
    return highest;
}

__device__ void set_masses(const Ranking& row, float largest, float temperature, uint64_t* masses) {
    const double one = double(uint64_t{1} << (62 - (64 - __clzll(row.vocabulary))));
    for (int64_t v = threadIdx.x; v < row.vocabulary; v += kThreads) {
        const float logit = row.logits[v];
        // Equal logits weigh 1, also where both are infinite.
        const double weight =
            logit == largest ? 1.0 : exp((double(logit) - double(largest)) / double(temperature));
        masses[v] = uint64_t(weight * one + 0.5);  // of tokens that this thread will read
    }
}

__device__ uint64_t draw(const Sample& args, const Ranking& row, Shared& shared) {
    uint64_t floor = row.lowest_usable();
    if (args.top_k > 0) {
        const uint64_t k = args.top_k;
        floor = search<false>(row, floor, shared, [k](uint64_t) { return k - 1; });
    }
    if (args.top_p < 1.0f) {
        const double p = args.top_p;
        floor = search<true>(row, floor, shared, [p](uint64_t total) {
            const double enough = max(ceil(p * double(total)), 1.0);
            return uint64_t(enough) - 1;  // to reach it is to exceed one less
        });
    }
    const int n = int(blockIdx.x);
    const auto words = philox(
        args.key, {uint32_t(RandomPurpose::sample), uint32_t(n), uint32_t(args.positions[n]), 0});
    const double random = uniform(words[0]);
    return search<true>(row, floor, shared,
                        [random](uint64_t total) { return uint64_t(random * double(total)); });
}

__global__ void sample_block_per_row(Sample args, int token_bits) {
    __shared__ Shared shared;
    const int n = int(blockIdx.x);
    auto* const masses = static_cast<uint64_t*>(args.scratch);  // [R, V]
    auto* const adjusted =
        reinterpret_cast<float*>(masses + args.rows * args.vocabulary);  // [R, V]
    const Ranking row{.logits = adjusted + n * args.vocabulary,
                      .masses = masses + n * args.vocabulary,
                      .vocabulary = args.vocabulary,
                      .token_bits = token_bits};
    adjust(args, n, adjusted + n * args.vocabulary);
    const uint64_t first = highest_rank(row, shared);
    uint64_t drawn = first;
    if (first >= row.lowest_usable() && args.temperature > 0.0f) {
        set_masses(row, row.logits[row.token(first)], args.temperature,
                   masses + n * args.vocabulary);
        drawn = draw(args, row, shared);
    }
    if (threadIdx.x == 0) args.tokens[n] = drawn >= row.lowest_usable() ? row.token(drawn) : -1;
}

}  // namespace

void sample(const Sample& args, StreamView stream) {
    int token_bits = kDigitBits;
    while ((args.vocabulary - 1) >> token_bits != 0) token_bits += kDigitBits;
    launch(sample_block_per_row,
           {.grid = static_cast<unsigned>(args.rows), .block = kThreads, .stream = stream}, args,
           token_bits);
}

}  // namespace FETTLE_DEVICE
