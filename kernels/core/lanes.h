// Sums on the cpu device: kLanes interleaved partial sums, added pairwise at the end. The order is
// fixed, so results repeat bit for bit, and compilers vectorise it without leave to reassociate.
#pragma once

#include <cstdint>

constexpr int kLanes = 32;

// sum of term(i) for i in [0, count)
template <class Term>
float sum_in_lanes(int64_t count, const Term& term) {
    float lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    for (int lane = 0; i + lane < count; ++lane) lanes[lane] += term(i + lane);
    for (int half = kLanes / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    return lanes[0];
}
