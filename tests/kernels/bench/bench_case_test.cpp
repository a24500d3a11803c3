#include "kernels/bench/bench_case.h"

#include <set>

#include "kernels/core/graph.h"
#include "kernels/simt/grid.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

TEST_CASE("bench_cases: every small case runs, and has a name and a cost of its own") {
    std::set<std::string> names;
    for (const BenchCase& bench : bench_cases(tested_device(), /*small=*/true)) {
        CAPTURE(bench.op);
        CHECK(names.insert(bench.op + " " + bench.shape).second);
        CHECK(bench.bytes > 0);
        CHECK_NOTHROW(bench.prepare(tested_device())(test_stream()));
    }
    CHECK(names.size() > 30);
}

TEST_CASE("bench_cases: no order of blocks and threads changes a bit of what an operation leaves") {
    const bool emulated = tested_device() == Device::simt;
    const uint32_t seed_before = simt::schedule_seed();
    for (const BenchCase& bench : bench_cases(tested_device(), /*small=*/true)) {
        CAPTURE(bench.op);
        CAPTURE(bench.shape);
        const PreparedCase prepared = bench.prepare(tested_device());
        const std::vector<char> before = prepared.contents();
        const auto contents = [&](uint32_t seed) {
            if (emulated) simt::set_schedule_seed(seed);
            prepared.set_contents(before);
            prepared(test_stream());
            return prepared.contents();
        };
        const std::vector<char> in_order = contents(0);
        CHECK(!same_bits(in_order, before));
        const bool is_gpu = tested_device() == Device::cuda;
        const uint32_t orders = every_access_is_judged() ? 1 : emulated ? 10 : is_gpu ? 1000 : 3;
        for (uint32_t seed = 1; seed <= orders; ++seed) {
            CAPTURE(seed);
            CHECK(same_bits(contents(seed), in_order));
        }
    }
    simt::set_schedule_seed(seed_before);
}

// So no operation allocates, copies, waits, or launches on another stream than it was given, and
// none depends on what the host does between two runs.
TEST_CASE("bench_cases: every operation can be captured, and replays leave what runs leave") {
    if (tested_device() == Device::cpu) return;
    for (const BenchCase& bench : bench_cases(tested_device(), /*small=*/true)) {
        CAPTURE(bench.op);
        CAPTURE(bench.shape);
        const PreparedCase run = bench.prepare(tested_device());
        const PreparedCase captured = bench.prepare(tested_device());
        const std::vector<char> before = captured.contents();
        run(test_stream());
        const Graph graph(test_stream(), [&] { captured(test_stream()); });
        CHECK(same_bits(captured.contents(), before));
        graph.replay();
        CHECK(same_bits(captured.contents(), run.contents()));
        run(test_stream());
        graph.replay();
        CHECK(same_bits(captured.contents(), run.contents()));
    }
}

TEST_CASE("bench_cases: small and large are the same operations") {
    const auto ops = [](bool small) {
        std::vector<std::string> names;
        for (const BenchCase& bench : bench_cases(tested_device(), small))
            names.push_back(bench.op);
        return names;
    };
    CHECK(ops(true) == ops(false));
}
