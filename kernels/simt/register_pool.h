// setmaxnreg: warps give registers back, and others take them. PTX ISA, "setmaxnreg". A block is
// launched here with as many registers a thread as 65,536 allow, in eights; hardware launches it
// with as many as the compiler chose, at most so many. Stricter than hardware: if some were given
// back, some must be taken.
#pragma once

#include "kernels/simt/place.h"

namespace simt {

constexpr int kRegistersOfBlock = 65536;

struct WarpRegisters {
    int of_thread = 0;
    int wanted = 0;  // 0: waits for none
};

struct RegisterPool {
    int free = 0;
    Place given;  // where the last ones were
    bool is_taken = false;
};

// Called by whole warps, all four of a warpgroup at the same line. Up waits until others gave back
// what it takes.
void set_registers(int of_thread, bool is_up, Place place);
// For the scheduler: before a block; all its threads have returned.
void fill_register_pool();
void check_registers_left();

}  // namespace simt
