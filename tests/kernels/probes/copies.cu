// Probes: cp.async with zero fill and in groups, bulk copies and stores.

#include "kernels/core/async_copy.cuh"
#include "kernels/core/bulk_store.cuh"
#include "kernels/core/mbarrier.cuh"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

// Lane l copies l % (kBytes + 1) bytes of kBytes over ones. out [32 * kBytes / 4]
template <int kBytes, bool past_l1 = false>
__device__ uint32_t* fill_up(uint32_t* out, const uint32_t* in, uint32_t* shared) {
    constexpr int kWords = kBytes / 4;
    const int first = int(threadIdx.x) * kWords, bytes = int(threadIdx.x) % (kBytes + 1);
    for (int i = 0; i < kWords; ++i) shared[first + i] = 0xffffffffu;
    __syncwarp();
    if constexpr (past_l1) copy_async_16(shared + first, in + first, bytes);
    if constexpr (!past_l1) copy_async<kBytes>(shared + first, in + first, bytes);
    wait_for_all_copies();
    __syncwarp();
    for (int i = 0; i < kWords; ++i) out[first + i] = shared[first + i];
    __syncwarp();
    return out + 32 * kWords;
}
// in [128]; out: 4, 8 and 16 bytes by .ca, 16 by .cg
__global__ void probe_cp_async(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t shared[128];
    out = fill_up<4>(out, in, shared);
    out = fill_up<8>(out, in, shared);
    out = fill_up<16>(out, in, shared);
    fill_up<16, true>(out, in, shared);
}

// Two groups and a copy of none, each read as soon as it must be there. in [96], out [96]
__global__ void probe_cp_async_groups(uint32_t* out, const uint32_t* in) {
    __shared__ uint32_t shared[96];
    const uint32_t lane = threadIdx.x;
    copy_async<4>(shared + lane, in + lane);
    commit_copies();
    copy_async<4>(shared + 32 + lane, in + 32 + lane);
    commit_copies();
    copy_async<4>(shared + 64 + lane, in + 64 + lane);
    wait_for_copies<1>();
    out[lane] = shared[lane];
    wait_for_copies<0>();
    out[32 + lane] = shared[32 + lane];
    wait_for_all_copies();
    out[64 + lane] = shared[64 + lane];
}

// 256 bytes as 16 and 240, completing at one mbarrier. in [64], out [64]
__global__ void probe_bulk_copy(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t shared[64];
    __shared__ uint64_t mbarrier;
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 1), fence_mbarrier_init();
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(&mbarrier, 256);
        load_bytes(shared, in, 16, &mbarrier);
        load_bytes(shared + 4, in + 4, 240, &mbarrier);
    }
    mbarrier_wait(&mbarrier, 0);
    for (uint32_t i = threadIdx.x; i < 64; i += 32) out[i] = shared[i];
}

// 256 bytes as two groups of 16 and 240: what the thread that waits for each then sees of it. The
// second group's words in shared memory are overwritten once they were read.
// in [64], out [64 stored, 64 seen]
__global__ void probe_bulk_store(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t shared[64];
    for (uint32_t i = threadIdx.x; i < 64; i += 32) shared[i] = in[i];
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x != 0) return;
    store_bytes(out, shared, 16);
    commit_stores();
    store_bytes(out + 4, shared + 4, 240);
    commit_stores();
    wait_stores<1>();
    for (int i = 0; i < 4; ++i) out[64 + i] = out[i];
    wait_stores_read<0>();
    for (int i = 4; i < 64; ++i) shared[i] = 0;
    wait_stores<0>();
    for (int i = 4; i < 64; ++i) out[64 + i] = out[i];
}

}  // namespace

ProbeKernels copies_probes() {
    return {{"cp_async", run_probe<probe_cp_async>},
            {"cp_async_groups", run_probe<probe_cp_async_groups>},
            {"bulk_copy", run_probe<probe_bulk_copy>, true},
            {"bulk_store", run_probe<probe_bulk_store>, true}};
}

}  // namespace FETTLE_DEVICE
