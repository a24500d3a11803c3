// What shuffles, votes, counts of bits and atomics leave.

#include "tests/kernels/probes/probe.h"

namespace {

constexpr uint32_t kAll = 0xffffffffu, kLanes = 32;

std::vector<Allowed> exactly(const std::vector<uint32_t>& words) {
    std::vector<Allowed> out;
    for (const uint32_t word : words) out.push_back({word});
    return out;
}

enum class Mode { up, down, bfly, idx };

// "shfl.sync", the pseudocode of the PTX ISA; the width becomes operand c as in "Warp shuffle
// functions" of the CUDA C++ Programming Guide.
uint32_t source_lane(Mode mode, uint32_t lane, uint32_t b, uint32_t width) {
    const uint32_t segments = 32 - width, clamp = mode == Mode::up ? 0 : 31, operand = b & 31;
    const uint32_t bound = (lane & segments) | (clamp & ~segments);
    const int signed_lane = int(lane), step = int(operand);
    int from = int((lane & segments) | (operand & ~segments));
    if (mode == Mode::up) from = signed_lane - step;
    if (mode == Mode::down) from = signed_lane + step;
    if (mode == Mode::bfly) from = signed_lane ^ step;
    const bool is_valid = mode == Mode::up ? from >= int(bound) : from <= int(bound);
    return is_valid ? uint32_t(from) : lane;
}

Probe shuffle(const std::string& name, Mode mode,
              const std::vector<std::pair<uint32_t, uint32_t>>& cases) {
    Probe probe{.name = name, .source = "PTX ISA 9.0, \"shfl.sync\"", .input = {}, .expected = {}};
    probe.input.push_back(uint32_t(cases.size()));
    for (const auto& [operand, width] : cases) {
        probe.input.insert(probe.input.end(), {operand, width});
        for (uint32_t lane = 0; lane < kLanes; ++lane)
            probe.expected.push_back({100 + source_lane(mode, lane, operand, width)});
    }
    return probe;
}

Probe shuffle_halves() {
    Probe probe{.name = "shuffle_halves",
                .source = "PTX ISA 9.0, \"shfl.sync\"",
                .input = {0x1000, 0x77000000},
                .expected = {}};
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
        const uint32_t from =
            lane < 16 ? source_lane(Mode::bfly, lane, 3, 32) : source_lane(Mode::down, lane, 2, 32);
        probe.expected.push_back({0x77000000 + from});
        probe.expected.push_back({0x1000 + from});
    }
    return probe;
}

Probe votes() {
    Probe probe{
        .name = "votes", .source = "PTX ISA 9.0, \"vote.sync\"", .input = {}, .expected = {}};
    const std::pair<uint32_t, uint32_t> cases[] = {
        {kAll, 0},          {kAll, kAll},         {kAll, 0x80000000}, {kAll, 0x7fffffff},
        {kAll, 0x12345678}, {0x0000ffff, 0x8001}, {0xff00, 0xffff},   {0x80000000, 0x80000000},
        {0xaaaaaaaa, 0},    {0x55555555, kAll},
    };
    probe.input.push_back(uint32_t(std::size(cases)));
    for (const auto& [lanes, predicates] : cases) {
        probe.input.insert(probe.input.end(), {lanes, predicates});
        for (uint32_t lane = 0; lane < kLanes; ++lane) {
            const bool takes_part = (lanes >> lane & 1) != 0;
            const uint32_t ballot = lanes & predicates;
            for (const uint32_t word : {ballot, uint32_t(ballot != 0), uint32_t(ballot == lanes)})
                probe.expected.push_back({takes_part ? word : kAll});
        }
    }
    return probe;
}

Probe bits() {
    Probe probe{.name = "bits",
                .source = "PTX ISA 9.0, \"popc\", \"clz\"; CUDA Math API, __ffs",
                .input = {},
                .expected = {}};
    for (uint32_t i = 0; i < kLanes; ++i)
        probe.input.push_back(i < 4 ? 0x80000001u << (8 * i) : i * 0x9e3779b9u >> (i - 4));
    probe.input[30] = 0, probe.input[31] = kAll;
    for (const uint32_t word : probe.input) {
        uint32_t ones = 0, lowest = 0, zeros = 32;
        for (uint32_t bit = 0; bit < 32; ++bit) {
            if ((word >> bit & 1) == 0) continue;
            ++ones, zeros = 31 - bit;
            if (lowest == 0) lowest = bit + 1;
        }
        // As the lower, then as the upper half of 64 bits, the other half zeros.
        for (const uint32_t count : {ones, zeros, lowest, 32 + zeros, word == 0 ? 64 : zeros})
            probe.expected.push_back({count});
    }
    return probe;
}

Probe atomics() {
    const auto minus = [](uint32_t n) { return 0u - n; };
    const std::vector<uint32_t> steps = {
        0xfffffffe, 3,           // add 5
        3,          3,           // max 2
        3,          0x80000000,  // max 2^31, unsigned
        0x80000000, 7,           // min 7
        7,          9,           // exch 9
        9,          9,           // cas 8 -> 1: not 8
        9,          11,          // cas 9 -> 11
        minus(5),   minus(5),    // max -7, signed
        minus(5),   minus(7),    // min -7
    };
    std::vector<uint32_t> words = steps;
    words.insert(words.end(), steps.begin(), steps.end());
    words.insert(words.end(), {kAll, 1000 + 32, 11, minus(7)});
    return {.name = "atomics",
            .source = "PTX ISA 9.0, \"atom\"",
            .input = {1000},
            .expected = exactly(words)};
}

}  // namespace

std::vector<Probe> expected_of_warp() {
    const std::vector<std::pair<uint32_t, uint32_t>> steps = {
        {0, 32}, {1, 32},  {3, 32}, {16, 32}, {31, 32}, {37, 32}, {2, 16},
        {8, 16}, {17, 16}, {2, 8},  {7, 8},   {9, 8},   {1, 2},   {2, 2}};
    const std::vector<std::pair<uint32_t, uint32_t>> places = {
        {0, 32}, {5, 32}, {31, 32}, {33, 32}, {0xffffffffu, 32}, {5, 16}, {15, 16}, {17, 16},
        {3, 8},  {11, 8}, {0, 2},   {1, 2}};
    return {shuffle("shuffle_index", Mode::idx, places),
            shuffle("shuffle_up", Mode::up, steps),
            shuffle("shuffle_down", Mode::down, steps),
            shuffle("shuffle_xor", Mode::bfly, steps),
            shuffle_halves(),
            votes(),
            bits(),
            atomics()};
}
