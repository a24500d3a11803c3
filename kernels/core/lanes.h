// Sums on the cpu device: kLanes interleaved partial sums, added pairwise at the end. The order is
// fixed, so results repeat bit for bit, and compilers vectorise it without leave to reassociate.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

constexpr int kLanes = 32;

// sum of term(i) for i in [0, count)
template <class Sum = float, class Term>
Sum sum_in_lanes(int64_t count, const Term& term) {
    Sum lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    for (int lane = 0; i + lane < count; ++lane) lanes[lane] += term(i + lane);
    for (int half = kLanes / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    return lanes[0];
}

// largest of term(i) for i in [0, count), NaNs left out; -infinity if there is none
template <class Term>
float max_in_lanes(int64_t count, const Term& term) {
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, -std::numeric_limits<float>::infinity());
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane)
            lanes[lane] = std::max(lanes[lane], static_cast<float>(term(i + lane)));
    for (int lane = 0; i + lane < count; ++lane)
        lanes[lane] = std::max(lanes[lane], static_cast<float>(term(i + lane)));
    return *std::max_element(lanes, lanes + kLanes);
}
