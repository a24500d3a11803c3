#include "kernels/simt/fiber.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "tests/support/doctest.h"

namespace {

simt::Context host;
std::unique_ptr<simt::Fiber> first, second;
std::string trace;

// Locals must survive every switch.
void run_first() {
    simt::fiber_started();
    for (int round = 0;; ++round) {
        trace += fmt::format("a{}", round);
        simt::switch_context(first->context(), second->context());
    }
}
void run_second() {
    simt::fiber_started();
    for (double round = 0.5;; round += 1.0) {
        trace += fmt::format("b{}", round);
        simt::switch_context(second->context(), host);
    }
}

}  // namespace

TEST_CASE("Fiber: stacks go on where they were left, and from the start after a restart") {
    host = simt::host_context();
    first = std::make_unique<simt::Fiber>(run_first);
    second = std::make_unique<simt::Fiber>(run_second);
    for (int i = 0; i < 3; ++i) simt::switch_context(host, first->context());
    CHECK(trace == "a0b0.5a1b1.5a2b2.5");
    trace.clear();
    first->restart();
    simt::switch_context(host, first->context());
    CHECK(trace == "a0b3.5");
    first.reset();
    second.reset();
}

TEST_CASE("Fiber: a stack holds 48 KiB of locals and is aligned for vector instructions") {
    static simt::Context back;
    static std::unique_ptr<simt::Fiber> fiber;
    static bool aligned = false;
    static int sum = 0;
    back = simt::host_context();
    const auto entry = [] {
        simt::fiber_started();
        alignas(64) volatile char wide[64] = {};
        aligned = reinterpret_cast<uintptr_t>(&wide) % 64 == 0;
        volatile char large[48 * 1024];
        for (size_t i = 0; i < sizeof large; ++i) large[i] = 1;
        for (size_t i = 0; i < sizeof large; ++i) sum += large[i];
        simt::switch_context(fiber->context(), back);
    };
    for (int i = 0; i < 70; ++i) {  // first frames are staggered: every offset comes by
        sum = 0;
        fiber = std::make_unique<simt::Fiber>(entry);
        simt::switch_context(back, fiber->context());
        CHECK(aligned);
        CHECK(sum == 48 * 1024);
    }
    fiber.reset();
}

// AddressSanitizer marks what lies around an array; memory that is mapped anew must not be marked.
TEST_CASE("Fiber: what an abandoned one leaves on its stack does not outlive it") {
    static simt::Context back;
    static std::unique_ptr<simt::Fiber> fiber;
    back = simt::host_context();
    const auto entry = [] {
        simt::fiber_started();
        volatile char array[100] = {};
        trace = fmt::format("{}", array[99]);  // so that the array is there
        simt::switch_context(fiber->context(), back);
    };
    fiber = std::make_unique<simt::Fiber>(entry);
    simt::switch_context(back, fiber->context());
    char* const stack = fiber->context().stack;
    const size_t bytes = fiber->context().stack_bytes;
    fiber.reset();
    void* again = mmap(stack, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    REQUIRE(again == stack);
    std::memset(again, 1, bytes);
    munmap(again, bytes);
}
