#include "kernels/simt/capture.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

TEST_CASE("capture: work on the captured stream is kept, on another it runs at once") {
    void* const stream = simt::make_stream();
    void* const other = simt::make_stream();
    int calls = 0;
    simt::enqueue(stream, [&] { ++calls; });
    CHECK(calls == 1);
    simt::begin_capture(stream);
    simt::enqueue(stream, [&] { calls += 10; });
    CHECK(calls == 1);
    simt::enqueue(other, [&] { ++calls; });
    CHECK(calls == 2);
    const auto kept = simt::end_capture();
    REQUIRE(kept.size() == 1);
    for (int replay = 0; replay < 2; ++replay) kept[0]();
    CHECK(calls == 22);
    CHECK(simt::end_capture().empty());
    simt::enqueue(nullptr, [&] { ++calls; });
    CHECK(calls == 23);
    simt::destroy_stream(stream);
    simt::destroy_stream(other);
}

TEST_CASE("capture: what cannot be kept is an error that says what it was") {
    void* const stream = simt::make_stream();
    CHECK_NOTHROW(simt::refuse_in_capture("waiting"));
    CHECK_THROWS_WITH_AS(simt::begin_capture(nullptr),
                         "graph: the default stream cannot be captured, expected another", Error);
    simt::begin_capture(stream);
    CHECK_THROWS_WITH_AS(simt::refuse_in_capture("waiting"),
                         "graph: waiting while a stream is captured: it cannot be replayed", Error);
    CHECK_THROWS_WITH_AS(simt::begin_capture(stream), "graph: a stream is being captured already",
                         Error);
    CHECK_THROWS_WITH_AS(
        simt::enqueue(nullptr, [] {}),
        "graph: work on the default stream while another is captured, expected it on that one",
        Error);
    simt::end_capture();
    simt::destroy_stream(stream);
}
