// Bulk copies from shared to device memory (sm_90): a run of bytes, or a box, of which only what
// lies inside the matrix is written. PTX ISA, "cp.async.bulk", "cp.async.bulk.commit_group",
// "cp.async.bulk.wait_group".
//
// A store belongs to the group that its thread commits next. Shared memory is read at some moment
// before a wait for that has passed, device memory written at some moment between then and a wait
// for all of it, or the end of the block: with threads in order as late as can be, with a schedule
// seed at any moment and in any order. A thread that returns must have committed its stores and
// waited until they were read.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/simt/place.h"
#include "kernels/simt/tensor_map.h"

namespace simt {

struct BulkStore {
    int thread = 0;      // that began it
    uint32_t group = 0;  // of its thread
    Box box;
    Place place;
    bool is_read = false;
    std::vector<unsigned char> values = {};  // then
};
// How many groups a thread began, committed, and waited for until they were read.
struct StoreGroups {
    uint32_t begun = 0, committed = 0, read = 0;
    Place place;                 // of its last store
    int reader = 0, writer = 0;  // engines, of clock n + 1 for group n; 0: none yet
};

void store_bytes(void* to, const void* from, uint32_t bytes, Place place);
void store_box(const TensorMap& map, int column, int row, const void* from, Place place);
void commit_stores();
// For all groups but the last `groups` that were committed: until shared memory was read, or until
// the thread sees what they wrote.
void wait_stores_read(int groups);
void wait_stores(int groups);

// For the scheduler.
struct Thread;
void advance_a_bulk_store(uint32_t random);  // any one of those under way
void check_no_stores_left(const Thread& leaver);
void finish_bulk_stores();  // all threads have returned

}  // namespace simt
