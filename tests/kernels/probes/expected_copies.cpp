// What asynchronous copies leave.

#include <cstring>

#include "tests/kernels/probes/probe.h"

namespace {

std::vector<uint32_t> numbered(uint32_t count) {
    std::vector<uint32_t> words;
    for (uint32_t i = 0; i < count; ++i) words.push_back(0x01020304u * (i + 1));
    return words;
}
std::vector<Allowed> exactly(const std::vector<uint32_t>& words) {
    std::vector<Allowed> out;
    for (const uint32_t word : words) out.push_back({word});
    return out;
}

// Lane l copies l % (n + 1) bytes of n; the rest of its n bytes are zeros.
Probe cp_async() {
    Probe probe{.name = "cp_async",
                .source = "PTX ISA 9.0, \"cp.async\": src-size, ignore-src",
                .input = numbered(128),
                .expected = {}};
    for (const size_t bytes : {4, 8, 16, 16}) {
        std::vector<uint32_t> words(32 * bytes / 4);
        for (size_t lane = 0; lane < 32; ++lane)
            std::memcpy(words.data() + lane * bytes / 4, probe.input.data() + lane * bytes / 4,
                        lane % (bytes + 1));
        for (const uint32_t word : words) probe.expected.push_back({word});
    }
    return probe;
}

// What is stored is seen by the thread that waited for it.
Probe bulk_store() {
    Probe probe{.name = "bulk_store",
                .source = "PTX ISA 9.0, \"cp.async.bulk\", \"cp.async.bulk.wait_group\"",
                .input = numbered(64),
                .expected = exactly(numbered(64))};
    for (const uint32_t word : probe.input) probe.expected.push_back({word});
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_copies() {
    return {cp_async(),
            {.name = "cp_async_groups",
             .source = "PTX ISA 9.0, \"cp.async.wait_group\"",
             .input = numbered(96),
             .expected = exactly(numbered(96))},
            {.name = "bulk_copy",
             .source = "PTX ISA 9.0, \"cp.async.bulk\"",
             .input = numbered(64),
             .expected = exactly(numbered(64))},
            bulk_store()};
}
