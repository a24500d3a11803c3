// For tests whose own kernels run on the simt device: what the Makefile defines for .cu files.
#pragma once

#define FETTLE_DEVICE on_simt
#define FETTLE_SIMT 1
#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"

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
