#include "kernels/core/graph.h"

#include "kernels/core/check.h"
#include "kernels/cross_entropy/weighted_sum.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

// A sum on the device under test, and the launch that adds to it.
struct Sum {
    Buffer<double> sum{tested_device(), 1};
    Buffer<float> values{tested_device(), {1.0f, 2.0f, 3.0f}};
    Buffer<float> weights{tested_device(), {1.0f, 1.0f, 1.0f}};
    int64_t count = 3;

    void add(StreamView stream) const {
        weighted_sum(WeightedSum<float>{.sum = sum.data(),
                                        .values = values.data(),
                                        .weights = weights.data(),
                                        .count = count},
                     stream);
    }
    double value() const { return sum.to_host()[0]; }
    void hold(const std::vector<float>& numbers) const {
        copy_to_device(tested_device(), values.data(), numbers.data(), values.bytes());
    }
};

bool cpu_is_tested() { return tested_device() == Device::cpu; }

}  // namespace

TEST_CASE("Graph: on cpu there is nothing to capture") {
    CHECK_THROWS_WITH_AS(Graph(StreamView{Device::cpu}, [] {}),
                         "graph: a stream on cpu, expected one on cuda or simt", Error);
}

TEST_CASE("Graph: what is captured runs at each replay, in its order, and not before") {
    if (cpu_is_tested()) return;
    const StreamView stream = test_stream();
    Sum sum;
    const Graph graph(stream, [&] {
        sum.add(stream);
        set_to_zero(stream, sum.weights.data(), 4);  // so the first value counts only once
        sum.add(stream);
    });
    CHECK(sum.value() == 0.0);
    graph.replay();
    CHECK(sum.value() == 6.0 + 5.0);
    graph.replay();
    CHECK(sum.value() == 11.0 + 10.0);
    sum.add(stream);  // what follows a capture runs at once
    CHECK(sum.value() == 26.0);
}

TEST_CASE("Graph: what lies behind a pointer is read anew, what was passed by value is kept") {
    if (cpu_is_tested()) return;
    Sum sum;
    const Graph graph(test_stream(), [&] { sum.add(test_stream()); });
    sum.hold({10.0f, 20.0f, 30.0f});
    sum.count = 1;
    graph.replay();
    CHECK(sum.value() == 60.0);
}

TEST_CASE("Graph: what cannot be replayed is an error where it is captured, and leaves nothing") {
    if (cpu_is_tested()) return;
    const StreamView stream = test_stream();
    const Device device = tested_device();
    Stream own(device);
    Sum sum;
    float number = 0.0f;
    const auto refused = [&](const auto& call) {
        CHECK_THROWS_AS(Graph(own.view(),
                              [&] {
                                  sum.add(own.view());
                                  call();
                              }),
                        Error);
        CHECK(sum.value() == 0.0);
        CHECK_NOTHROW(own.synchronize());
    };
    refused([&] { copy_to_device(device, sum.values.data(), &number, 4); });
    refused([&] { copy_to_host(device, &number, sum.values.data(), 4); });
    refused([&] { copy_on_device(device, sum.values.data(), sum.weights.data(), 4); });
    refused([&] { Buffer<float>(device, 1); });
    refused([&] { own.synchronize(); });
    refused([&] { sum.add(StreamView{device}); });  // the default stream
    refused([&] { Graph(own.view(), [] {}); });
    refused([] { throw Error("of its own"); });
    CHECK_THROWS_AS(Graph(StreamView{device}, [] {}), Error);
    const Graph graph(own.view(),
                      [&] { sum.add(own.view()); });  // the stream can still be captured
    graph.replay();
    own.synchronize();
    CHECK(sum.value() == 6.0);
    sum.add(stream);
    CHECK(sum.value() == 12.0);
}

TEST_CASE("Graph: a moved one replays where it went") {
    if (cpu_is_tested()) return;
    Sum sum;
    Graph graph(test_stream(), [&] { sum.add(test_stream()); });
    Graph other(test_stream(), [] {});
    other = std::move(graph);
    const Graph moved(std::move(other));
    moved.replay();
    CHECK(sum.value() == 6.0);
    CHECK_THROWS_AS(other.replay(), Error);
}
