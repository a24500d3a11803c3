// The exit codes of every program, and the one line on stderr that explains them.

#include "model/program/main.h"

#include <new>

#include "kernels/core/check.h"
#include "model/program/flags.h"
#include "tests/support/captured_output.h"
#include "tests/support/doctest.h"

namespace {

struct Outcome {
    int exit_code;
    std::string message;
};

Outcome outcome(int (*body)(int, char**)) {
    char name[] = "bin/test";
    char* arguments[] = {name, nullptr};
    CapturedOutput output(stderr);
    const int exit_code = run_main(body, 1, arguments);
    return {exit_code, output.text()};
}

}  // namespace

TEST_CASE("run_main: what a body returns is the exit code, and nothing is printed") {
    CHECK(outcome([](int, char**) { return 0; }).exit_code == 0);
    CHECK(outcome([](int, char**) { return 130; }).exit_code == 130);
    const Outcome finished = outcome([](int, char**) -> int { throw Finished{}; });
    CHECK(finished.exit_code == 0);
    CHECK(finished.message.empty());
}

TEST_CASE("run_main: the user's fault is 2, ours 1, a gate's refusal 3, each with one line") {
    const Outcome user = outcome([](int, char**) -> int { throw InputError("--x: two\nlines"); });
    CHECK(user.exit_code == 2);
    CHECK(user.message == "bin/test: error: --x: two lines\n");
    const Outcome ours = outcome([](int, char**) -> int { throw Error("a shape"); });
    CHECK(ours.exit_code == 1);
    CHECK(ours.message == "bin/test: internal error: a shape\n");
    CHECK(outcome([](int, char**) -> int { throw std::bad_alloc(); }).message ==
          "bin/test: internal error: out of memory\n");
    CHECK(outcome([](int, char**) -> int { throw 7; }).exit_code == 1);
    const Outcome gate = outcome([](int, char**) -> int { throw GateRefused("loss rose"); });
    CHECK(gate.exit_code == 3);
    CHECK(gate.message == "bin/test: refused: loss rose\n");
}
