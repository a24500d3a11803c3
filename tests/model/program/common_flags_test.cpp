// The flags of every program.

#include "model/program/common_flags.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

CommonOptions parsed(const std::vector<const char*>& arguments) {
    CommonOptions options;
    Flags flags("bin/test", "a program");
    add_common_flags(flags, options);
    flags.parse(static_cast<int>(arguments.size()), arguments.data());
    return options;
}

}  // namespace

TEST_CASE("common flags: seed 42 and the best device that answers, unless asked otherwise") {
    const CommonOptions options = parsed({"test"});
    CHECK(options.seed == 42);
    CHECK(apply_common_options(options) == default_device());
    CHECK(apply_common_options(parsed({"test", "--device", "cpu"})) == Device::cpu);
}

TEST_CASE("common flags: an unknown device and a negative count of threads are refused") {
    CHECK_THROWS_AS(parsed({"test", "--device", "tpu"}), InputError);
    CHECK_THROWS_AS(parsed({"test", "--threads", "-1"}), InputError);
    CHECK_THROWS_AS(parsed({"test", "--seed", "x"}), InputError);
}
