// For tests whose own kernels run on the simt device: what the Makefile defines for .cu files, and
// how a launch ends.
#pragma once

#include <string>

#define FETTLE_DEVICE on_simt
#define FETTLE_SIMT 1
#include "kernels/core/async_copy.cuh"
#include "kernels/core/cluster.cuh"
#include "kernels/core/launch.h"
#include "kernels/core/mbarrier.cuh"
#include "kernels/core/warp.cuh"
#include "kernels/core/warp_matrix.cuh"
#include "kernels/core/warpgroup_matrix.cuh"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"  // contains

// Runs `body` with threads in the random order `seed`, then goes back to the order before.
template <typename Body>
void with_schedule(uint32_t seed, const Body& body) {
    struct Restore {
        uint32_t seed = simt::schedule_seed();
        ~Restore() { simt::set_schedule_seed(seed); }
    } restore;
    simt::set_schedule_seed(seed);
    body();
}

// The Error that `kernel` ends in on three blocks of 64 threads in the order `seed`; empty if none.
template <typename... Arguments>
std::string error_in_order(uint32_t seed, void (*kernel)(Arguments...), Arguments... arguments) {
    std::string text;
    with_schedule(seed, [&] {
        try {
            on_simt::launch(kernel, {.grid = 3, .block = 64, .shared_bytes = 256}, arguments...);
        } catch (const Error& error) {
            text = error.what();
        }
    });
    return text;
}

// The Error with threads in order. Other orders may say it in other words, but must say it too.
template <typename... Arguments>
std::string error_of(void (*kernel)(Arguments...), Arguments... arguments) {
    const std::string text = error_in_order(0, kernel, arguments...);
    for (const uint32_t seed : {1u, 2u, 3u})
        CHECK(error_in_order(seed, kernel, arguments...).empty() == text.empty());
    return text;
}
