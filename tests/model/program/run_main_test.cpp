// The exit codes of every program.

#include "model/program/run_main.h"

#include <new>

#include "kernels/core/check.h"
#include "model/program/flags.h"
#include "tests/support/doctest.h"

namespace {

int exit_code(int (*body)(int, char**)) {
    char name[] = "test";
    char* arguments[] = {name, nullptr};
    return run_main(body, 1, arguments);
}

}  // namespace

TEST_CASE("run_main: what a body throws decides the exit code") {
    CHECK(exit_code([](int, char**) { return 0; }) == 0);
    CHECK(exit_code([](int, char**) { return 130; }) == 130);
    CHECK(exit_code([](int, char**) -> int { throw Finished{}; }) == 0);
    CHECK(exit_code([](int, char**) -> int { throw InputError("--x: wrong"); }) == 2);
    CHECK(exit_code([](int, char**) -> int { throw Error("a shape"); }) == 1);
    CHECK(exit_code([](int, char**) -> int { throw std::bad_alloc(); }) == 1);
    CHECK(exit_code([](int, char**) -> int { throw 7; }) == 1);
    CHECK(exit_code([](int, char**) -> int { throw GateRefused("loss rose"); }) == 3);
}
