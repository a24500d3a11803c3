// Bulk copies from device to shared memory (sm_90): a run of bytes, or a box of a matrix that a
// tensor map describes. PTX ISA, "cp.async.bulk" and "cp.async.bulk.tensor".
//
// A copy happens at some moment between the instruction and the end of the phase of the mbarrier at
// which it completes: with threads in order when nobody else can run, with a schedule seed at any
// moment and in any order. Until then its destination holds NaNs. Of a box, what lies outside the
// matrix becomes zeros, and counts as bytes that came.
#pragma once

#include <cstdint>

#include "kernels/simt/place.h"
#include "kernels/simt/tensor_map.h"

namespace simt {

struct BulkCopy {
    uint64_t* mbarrier = nullptr;
    Box box;
    Place place;
};

void load_bytes(void* to, const void* from, uint32_t bytes, uint64_t* mbarrier, Place place);
void load_box(void* to, const TensorMap& map, int column, int row, uint64_t* mbarrier, Place place);

// For the scheduler.
void finish_a_bulk_copy(uint32_t random);  // any one of those under way
void check_no_bulk_copies_left();          // all threads have returned
// For copies either way: where a box, or a run of bytes, must lie.
void check_box(const Box& box, uintptr_t alignment, const char* does, Place place);
void check_run(const void* global, uint32_t bytes, const char* does, Place place);

}  // namespace simt
