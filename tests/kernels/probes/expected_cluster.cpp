// Clusters. PTX ISA, "mapa", "barrier.cluster", "%cluster_ctarank", "%cluster_nctarank".
#include "tests/kernels/probes/probe.h"

std::vector<Probe> expected_of_cluster() {
    constexpr uint32_t kBlocks = 8, kCluster = 4, kLanes = 32;
    Probe probe{.name = "cluster",
                .source = "PTX ISA 9.0, \"mapa\", \"barrier.cluster\"",
                .input = {},
                .expected = {}};
    for (uint32_t i = 0; i < kBlocks * kLanes; ++i) probe.input.push_back(2654435761u * (i + 1));
    const auto input = [&](uint32_t block, uint32_t lane) {
        return probe.input[block * kLanes + lane];
    };
    for (uint32_t block = 0; block < kBlocks; ++block) {
        const uint32_t rank = block % kCluster, first = block - rank;
        for (uint32_t lane = 0; lane < kLanes; ++lane)
            probe.expected.push_back({rank << 8 | kCluster});
        for (uint32_t lane = 0; lane < kLanes; ++lane)
            probe.expected.push_back({input(first + (rank + 1) % kCluster, kLanes - 1 - lane)});
        for (uint32_t lane = 0; lane < kLanes; ++lane) {
            uint32_t sum = 0;
            for (uint32_t other = 0; other < kCluster; ++other) sum += input(first + other, lane);
            probe.expected.push_back({sum});
        }
        for (uint32_t lane = 0; lane < kLanes; ++lane)
            probe.expected.push_back({3 * input(block ^ 1, lane)});
    }
    return {probe};
}
