// Dropout on the cpu device.
//
// Threads   pieces of consecutive tokens; 16 Philox counters at a time fill a vector register.
// Traffic   reads and writes NC elements, but ten rounds of two multiplications for every four
//           elements bind it to the arithmetic.
// Numerics  uniform >= probability is decided on the integers: word / 256 >= ceil(p 2^24). Kept
//           elements are multiplied by the rounded 1 / (1 - p).
// Requires  out is input or does not overlap it.

#include <algorithm>
#include <cmath>

#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/dropout/dropout.h"

namespace on_cpu {
namespace {

constexpr int kCounters = 16;
constexpr int kChunk = 4 * kCounters;  // channels

// words[0 .. 63] for the counters {purpose, row, position, first .. first + 15}: philox() of
// kernels/core/philox.h with the rounds outside and the counters inside. A counter's word lies in a
// 64-bit lane, where its product will: halving and merging vectors costs more than the half of each
// that stays empty.
void philox_chunk(PhiloxKey key, uint32_t purpose, uint32_t row, uint32_t position, uint32_t first,
                  uint32_t* words) {
    constexpr uint64_t kLow = 0xffffffffu;
    uint64_t x0[kCounters], x1[kCounters], x2[kCounters], x3[kCounters];
    for (uint32_t i = 0; i < kCounters; ++i) {
        x0[i] = purpose;
        x1[i] = row;
        x2[i] = position;
        x3[i] = first + i;
    }
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
        for (int i = 0; i < kCounters; ++i) {
            const uint64_t product0 = 0xD2511F53u * x0[i];
            const uint64_t product1 = 0xCD9E8D57u * x2[i];
            x0[i] = (product1 >> 32) ^ x1[i] ^ key.low;
            x2[i] = (product0 >> 32) ^ x3[i] ^ key.high;
            x1[i] = product1 & kLow;
            x3[i] = product0 & kLow;
        }
        key.low += 0x9E3779B9u;
        key.high += 0xBB67AE85u;
    }
    for (int i = 0; i < kCounters; ++i) {
        words[4 * i] = static_cast<uint32_t>(x0[i]);
        words[4 * i + 1] = static_cast<uint32_t>(x1[i]);
        words[4 * i + 2] = static_cast<uint32_t>(x2[i]);
        words[4 * i + 3] = static_cast<uint32_t>(x3[i]);
    }
}

}  // namespace

template <typename T>
void dropout(const Dropout<T>& args, StreamView) {
    const auto threshold = static_cast<uint32_t>(std::ceil(args.probability * 0x1p24));
    const auto scale = static_cast<float>(1.0 / (1.0 - args.probability));
    parallel_for(args.rows, 4, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            for (int first = 0; first < args.channels; first += kChunk) {
                uint32_t words[kChunk];
                philox_chunk(args.key, dropout_purpose(args.site),
                             static_cast<uint32_t>(args.row_ids[n]),
                             static_cast<uint32_t>(args.positions[n]),
                             static_cast<uint32_t>(first / 4), words);
                const T* input = args.input + n * args.channels + first;
                T* out = args.out + n * args.channels + first;
                const int size = std::min(kChunk, args.channels - first);
#pragma omp simd
                for (int c = 0; c < size; ++c) {
                    const float kept = float(input[c]) * scale;
                    store(out[c], (words[c] >> 8) >= threshold ? kept : 0.0f);
                }
            }
        }
    });
}

template void dropout(const Dropout<float>&, StreamView);
template void dropout(const Dropout<bf16>&, StreamView);

}  // namespace on_cpu
