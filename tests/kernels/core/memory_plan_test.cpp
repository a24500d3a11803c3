// The memory plan: what lives together lies apart, and no more memory than needed is asked for.

#include "kernels/core/memory_plan.h"

#include <algorithm>
#include <map>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "tests/support/doctest.h"

namespace {

// `count` tensors of 0 to 5000 bytes in phases 0 to 19.
MemoryPlan random_plan(int count, uint32_t seed) {
    MemoryPlan plan;
    for (int i = 0; i < count; ++i) {
        const auto words = philox({seed, 0}, {0, 0, static_cast<uint32_t>(i), 0});
        const int first = static_cast<int>(words[1] % 20);
        plan.add("tensor", words[0] % 5001, first,
                 std::min(19, first + static_cast<int>(words[2] % 8)));
    }
    plan.place();
    return plan;
}

bool overlap(int64_t begin_a, int64_t end_a, int64_t begin_b, int64_t end_b) {
    return begin_a < end_b && begin_b < end_a;
}

// Bytes of the tensors of the fullest phase.
int64_t fullest_phase(const MemoryPlan& plan) {
    std::map<int, int64_t> bytes;
    for (const PlannedTensor& tensor : plan.tensors())
        for (int phase = tensor.first_phase; phase <= tensor.last_phase; ++phase)
            bytes[phase] += tensor.bytes;
    int64_t most = 0;
    for (const auto& [phase, sum] : bytes) most = std::max(most, sum);
    return most;
}

}  // namespace

TEST_CASE("memory_plan: no two tensors that live together overlap") {
    for (uint32_t seed = 0; seed < 20; ++seed) {
        CAPTURE(seed);
        const MemoryPlan plan = random_plan(80, seed);
        for (size_t i = 0; i < plan.tensors().size(); ++i) {
            const PlannedTensor& a = plan.tensors()[i];
            CHECK(a.offset % 64 == 0);
            CHECK(a.offset >= 0);
            CHECK(a.offset + a.bytes <= plan.peak_bytes());
            for (size_t j = 0; j < i; ++j) {
                const PlannedTensor& b = plan.tensors()[j];
                if (a.first_phase > b.last_phase || b.first_phase > a.last_phase) continue;
                CHECK(!overlap(a.offset, a.offset + a.bytes, b.offset, b.offset + b.bytes));
            }
        }
    }
}

// A tensor lives in about a quarter of the phases: sharing must more than halve their sum.
TEST_CASE("memory_plan: the peak is at least the fullest phase, and memory is shared") {
    for (uint32_t seed = 0; seed < 20; ++seed) {
        CAPTURE(seed);
        const MemoryPlan plan = random_plan(80, seed);
        CHECK(plan.peak_bytes() >= fullest_phase(plan));
        int64_t sum = 0;
        for (const PlannedTensor& tensor : plan.tensors()) sum += tensor.bytes;
        CHECK(2 * plan.peak_bytes() < sum);
    }
}

TEST_CASE("memory_plan: tensors that never meet share memory; those that do add up") {
    MemoryPlan plan;
    plan.add("first", 640, 0, 1);
    plan.add("second", 320, 2, 3);
    plan.add("third", 64, 4, 4);
    plan.place();
    CHECK(plan.peak_bytes() == 640);
    for (const PlannedTensor& tensor : plan.tensors()) CHECK(tensor.offset == 0);

    plan.add("always", 128, 0, 4);
    plan.place();
    CHECK(plan.peak_bytes() == 768);
    plan.add("touches the first's last phase", 64, 1, 1);
    plan.place();
    CHECK(plan.peak_bytes() == 832);
}

TEST_CASE("memory_plan: a gap between placed tensors is used") {
    MemoryPlan plan;
    plan.add("low, early", 640, 0, 0);
    plan.add("always", 512, 0, 2);
    plan.add("late", 256, 2, 2);
    plan.add("later, beside it", 384, 2, 2);
    plan.place();
    CHECK(plan.peak_bytes() == 640 + 512);
    CHECK(plan.tensors()[2].offset + plan.tensors()[3].offset == 384);
}

TEST_CASE("memory_plan: sizes are rounded up to 64 bytes; none and nothing cost nothing") {
    MemoryPlan plan;
    plan.place();
    CHECK(plan.peak_bytes() == 0);
    CHECK(plan.add("empty", 0, 0, 9) == 0);
    CHECK(plan.add("one byte", 1, 0, 9) == 1);
    CHECK(plan.add("65 bytes", 65, 0, 9) == 2);
    plan.place();
    CHECK(plan.peak_bytes() == 64 + 128);
    CHECK(plan.tensors()[1].name == "one byte");
}

TEST_CASE("memory_plan: bytes below zero and lives that end before they begin are errors") {
    MemoryPlan plan;
    CHECK_THROWS_WITH_AS(plan.add("logits", -1, 0, 1),
                         "memory plan: logits has -1 bytes in phases 0 to 1", Error);
    CHECK_THROWS_WITH_AS(plan.add("logits", 4, 2, 1),
                         "memory plan: logits has 4 bytes in phases 2 to 1", Error);
}

TEST_CASE("arena: tensors lie at their offsets in one aligned, zeroed block") {
    MemoryPlan plan;
    const int a = plan.add("a", 256, 0, 1);
    const int b = plan.add("b", 256, 1, 2);
    const int c = plan.add("c", 256, 2, 3);
    plan.place();
    const Arena arena(plan, Device::cpu, "test");
    CHECK(arena.tensor<float>(a) == arena.tensor<float>(c));
    CHECK(std::abs(arena.tensor<float>(b) - arena.tensor<float>(a)) == 64);
    CHECK(reinterpret_cast<uintptr_t>(arena.tensor<float>(b)) % 64 == 0);
    CHECK(std::count(arena.tensor<float>(b), arena.tensor<float>(b) + 64, 0.0f) == 64);
}
