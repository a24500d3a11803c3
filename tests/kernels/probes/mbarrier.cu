// Probes: the phases of mbarriers, as test_wait tells them.

#include "kernels/core/mbarrier.cuh"

#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

// Whether each parity's phase is over: 2 * parity 1 + parity 0.
__device__ uint32_t phases(uint64_t* mbarrier) {
    const uint32_t odd = mbarrier_test_wait(mbarrier, 1) ? 2 : 0;
    return odd + (mbarrier_test_wait(mbarrier, 0) ? 1 : 0);
}

// Arrivals one after another at an mbarrier for 1, for 2 and for 3. out [3, 8]
__global__ void probe_mbarrier_arrivals(uint32_t* out, const uint32_t*) {
    __shared__ uint64_t mbarriers[3];
    if (threadIdx.x != 0) return;
    for (uint32_t count = 1; count <= 3; ++count) {
        uint64_t* const mbarrier = mbarriers + count - 1;
        mbarrier_init(mbarrier, count);
        *out++ = phases(mbarrier);
        for (int i = 0; i < 7; ++i) {
            mbarrier_arrive(mbarrier);
            *out++ = phases(mbarrier);
        }
        mbarrier_invalidate(mbarrier);
    }
}

// A phase that needs two arrivals and 48 bytes, and the one behind it. in [12], out [6]
__global__ void probe_mbarrier_bytes(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t shared[12];
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 2);
    fence_mbarrier_init();
    mbarrier_expect_bytes(&mbarrier, 16);
    out[0] = phases(&mbarrier);  // no arrival
    mbarrier_arrive_expect_bytes(&mbarrier, 32);
    out[1] = phases(&mbarrier);  // one
    mbarrier_arrive(&mbarrier);
    out[2] = phases(&mbarrier);  // both, but no bytes
    load_bytes(shared, in, 48, &mbarrier);
    mbarrier_wait(&mbarrier, 0);
    out[3] = phases(&mbarrier);
    mbarrier_arrive(&mbarrier);
    out[4] = phases(&mbarrier);
    mbarrier_arrive(&mbarrier);
    out[5] = phases(&mbarrier);  // the second phase needs no bytes
    for (int i = 0; i < 12; ++i) out[6 + i] = shared[i];
}

// Every thread of two warps arrives and waits, eight times: what the others wrote before. out [8, 64]
__global__ void probe_mbarrier_rounds(uint32_t* out, const uint32_t*) {
    __shared__ uint64_t mbarrier;
    __shared__ uint32_t values[2][64];
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    __syncthreads();
    for (uint32_t round = 0; round < 8; ++round) {
        values[round % 2][threadIdx.x] = 1000 * round + threadIdx.x;
        mbarrier_arrive(&mbarrier);
        mbarrier_wait(&mbarrier, round % 2);
        out[64 * round + threadIdx.x] = values[round % 2][63 - threadIdx.x];
    }
}

}  // namespace

ProbeKernels mbarrier_probes() {
    return {{"mbarrier_arrivals", run_probe<probe_mbarrier_arrivals>, true},
            {"mbarrier_bytes", run_probe<probe_mbarrier_bytes>, true},
            {"mbarrier_rounds", run_probe<probe_mbarrier_rounds, 64>, true}};
}

}  // namespace FETTLE_DEVICE
