// What mbarriers say of their phases: 2 if that of parity 1 is over, plus 1 if that of parity 0 is.
// PTX ISA, "mbarrier.test_wait": the phase asked for is the current one or the one before it, so
// just one of the two is over at any time; before the first phase ends it is that of parity 1.

#include "tests/kernels/probes/probe.h"

namespace {

constexpr uint32_t kOdd = 2, kEven = 1;

}  // namespace

std::vector<Probe> expected_of_mbarrier() {
    Probe arrivals{
        .name = "mbarrier_arrivals",
        .source = "PTX ISA 9.0, \"Phase of the mbarrier object\"",
        .input = {},
        .expected = {{kOdd}, {kEven}, {kOdd},  {kEven}, {kOdd},  {kEven}, {kOdd},  {kEven},
                     {kOdd}, {kOdd},  {kEven}, {kEven}, {kOdd},  {kOdd},  {kEven}, {kEven},
                     {kOdd}, {kOdd},  {kOdd},  {kEven}, {kEven}, {kEven}, {kOdd},  {kOdd}}};
    Probe bytes{
        .name = "mbarrier_bytes",
        .source = "PTX ISA 9.0, \"Tracking asynchronous operations by the mbarrier object\"",
        .input = {},
        .expected = {{kOdd}, {kOdd}, {kOdd}, {kEven}, {kEven}, {kOdd}}};
    for (uint32_t i = 0; i < 12; ++i) {
        bytes.input.push_back(0x11110000 + i);
        bytes.expected.push_back({0x11110000 + i});
    }
    Probe rounds{.name = "mbarrier_rounds",
                 .source = "PTX ISA 9.0, \"mbarrier.arrive\", \"mbarrier.try_wait\"",
                 .input = {},
                 .expected = {}};
    for (uint32_t round = 0; round < 8; ++round)
        for (uint32_t i = 0; i < 64; ++i) rounds.expected.push_back({1000 * round + 63 - i});
    return {arrivals, bytes, rounds};
}
