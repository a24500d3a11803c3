// Probes: shuffles, votes, bits of an integer, atomics.

#include "kernels/core/warp.cuh"

#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

enum class Kind { index, up, down, exclusive_or };

// in: the number of shuffles, then operand and width of each. out [shuffles, 32]
template <Kind kind>
__global__ void probe_shuffle(uint32_t* out, const uint32_t* in) {
    const uint32_t value = 100 + threadIdx.x;
    for (uint32_t i = 0; i < in[0]; ++i) {
        const auto operand = int(in[1 + 2 * i]), width = int(in[2 + 2 * i]);
        uint32_t got = 0;
        if constexpr (kind == Kind::index) got = __shfl_sync(kAllLanes, value, operand, width);
        if constexpr (kind == Kind::up) got = __shfl_up_sync(kAllLanes, value, operand, width);
        if constexpr (kind == Kind::down) got = __shfl_down_sync(kAllLanes, value, operand, width);
        if constexpr (kind == Kind::exclusive_or)
            got = __shfl_xor_sync(kAllLanes, value, operand, width);
        out[32 * i + threadIdx.x] = got;
    }
}

// Two halves of a warp, each among themselves, of eight bytes. out [32, 2]
__global__ void probe_shuffle_halves(uint32_t* out, const uint32_t* in) {
    const uint32_t lane = threadIdx.x;
    const auto value = static_cast<long long>(uint64_t{in[0] + lane} << 32 | (in[1] + lane));
    long long got;
    if (lane < 16) {
        got = __shfl_xor_sync(0x0000ffffu, value, 3);
    } else {
        got = __shfl_down_sync(0xffff0000u, value, 2);
    }
    out[2 * lane] = static_cast<uint32_t>(static_cast<uint64_t>(got));
    out[2 * lane + 1] = static_cast<uint32_t>(static_cast<uint64_t>(got) >> 32);
}

// in: the number of votes, then lanes and predicates of each. out [votes, 32, 3]; lanes that do not
// vote leave ones.
__global__ void probe_votes(uint32_t* out, const uint32_t* in) {
    for (uint32_t i = 0; i < in[0]; ++i) {
        const uint32_t lanes = in[1 + 2 * i], bit = 1u << threadIdx.x;
        const int vote = (in[2 + 2 * i] & bit) != 0 ? 1 : 0;
        uint32_t* const own = out + 96 * i + 3 * threadIdx.x;
        own[0] = own[1] = own[2] = 0xffffffffu;
        if ((lanes & bit) != 0) {
            own[0] = __ballot_sync(lanes, vote);
            own[1] = __any_sync(lanes, vote) != 0 ? 1 : 0;
            own[2] = __all_sync(lanes, vote) != 0 ? 1 : 0;
        }
        __syncwarp();
    }
}

// in: 32 words. out [32, 5]
__global__ void probe_bits(uint32_t* out, const uint32_t* in) {
    const uint32_t word = in[threadIdx.x];
    uint32_t* const own = out + 5 * threadIdx.x;
    own[0] = uint32_t(__popc(word));
    own[1] = uint32_t(__clz(int(word)));
    own[2] = uint32_t(__ffs(int(word)));
    own[3] = uint32_t(__clzll(static_cast<long long>(uint64_t{word})));
    own[4] = uint32_t(__clzll(static_cast<long long>(uint64_t{word} << 32)));
}

// What each atomic returns, and what it leaves behind. out [9, 2]
__device__ void step_through_atomics(uint32_t* out, uint32_t* word, int* number) {
    *word = 0xfffffffeu, *number = -5;
    out[0] = atomicAdd(word, 5u), out[1] = *word;
    out[2] = atomicMax(word, 2u), out[3] = *word;
    out[4] = atomicMax(word, 0x80000000u), out[5] = *word;
    out[6] = atomicMin(word, 7u), out[7] = *word;
    out[8] = atomicExch(word, 9u), out[9] = *word;
    out[10] = atomicCAS(word, 8u, 1u), out[11] = *word;
    out[12] = atomicCAS(word, 9u, 11u), out[13] = *word;
    out[14] = uint32_t(atomicMax(number, -7)), out[15] = uint32_t(*number);
    out[16] = uint32_t(atomicMin(number, -7)), out[17] = uint32_t(*number);
}
// On shared memory, then on device memory; then all lanes add to one word: which numbers they got,
// a bit each, and the sum. out [40], the last two what the atomics on device memory worked on
__global__ void probe_atomics(uint32_t* out, const uint32_t* in) {
    __shared__ uint32_t word, got;
    __shared__ int number;
    uint32_t* const device = out + 38;
    if (threadIdx.x == 0) {
        step_through_atomics(out, &word, &number);
        step_through_atomics(out + 18, device, reinterpret_cast<int*>(device + 1));
        word = in[0], got = 0;
    }
    __syncthreads();
    const uint32_t before = atomicAdd(&word, 1u);
    atomicAdd(&got, 1u << (before - in[0]));
    __syncthreads();
    if (threadIdx.x == 0) out[36] = got, out[37] = word;
}

}  // namespace

ProbeKernels warp_probes() {
    return {{"shuffle_index", run_probe<probe_shuffle<Kind::index>>},
            {"shuffle_up", run_probe<probe_shuffle<Kind::up>>},
            {"shuffle_down", run_probe<probe_shuffle<Kind::down>>},
            {"shuffle_xor", run_probe<probe_shuffle<Kind::exclusive_or>>},
            {"shuffle_halves", run_probe<probe_shuffle_halves>},
            {"votes", run_probe<probe_votes>},
            {"bits", run_probe<probe_bits>},
            {"atomics", run_probe<probe_atomics>}};
}

}  // namespace FETTLE_DEVICE
