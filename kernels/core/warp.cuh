// Collectives of a warp. Every lane of the warp calls them; every lane gets the result.
#pragma once

#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {

constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// Butterfly: lane l adds its partner l ^ 16, then l ^ 8, ... Addition commutes, so all lanes hold
// the same bits at the end, and the order is the same in every run.
__device__ inline float warp_sum(float value) {
    for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(kAllLanes, value, distance);
    return value;
}

__device__ inline float warp_max(float value) {
    for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, distance));
    return value;
}

}  // namespace FETTLE_DEVICE
