// cp.async: copies from device to shared memory that a thread begins and waits for later. PTX ISA,
// "cp.async": a thread's copies belong to the group that it commits next; nothing but a wait for
// that group says that they are done, and copies finish in any order.
//
// Their bytes land at a moment between the call and the wait that covers it: with threads in order
// as late as possible, else at random. So what a kernel reads too early is stale; a check build
// reports it. A thread that returns must have waited for its copies.
#pragma once

#include "kernels/simt/place.h"

namespace simt {

// Copies `from_bytes` and fills up with zeros to `bytes`: 4, 8 or 16, to which both are aligned.
void copy_async(void* to, const void* from, int bytes, int from_bytes, Place place);
void commit_copies();
void wait_for_copies(int groups);  // for all groups but the last `groups` that were committed
void wait_for_all_copies();        // for those of no group too

}  // namespace simt
