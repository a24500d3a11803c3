// Main of every test program. Besides doctest's own options:
//   --device cpu|cuda|simt   where the tested operations run (default cpu)
//   --schedule_seed N        simt: run threads in the random order N (default 0: in order)
//   --ptx FOLDER             simt: interpret the .ptx files there, which `make ptx` writes, instead
//                            of running the host's build of the kernels. Tests that bring their
//                            own kernels (simt*, pack*) fail: those are not in there. The last lines
//                            say how much of the kernels ran; FETTLE_PTX_LINES=1 lists the rest
// Exit codes: 0 all passed; 1 a test failed; 2 the device does not answer.
#define DOCTEST_CONFIG_IMPLEMENT
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/simt/grid.h"
#include "kernels/simt/ptx/interpreter.h"
#include "model/program/signals.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

// Read by AddressSanitizer: an allocation that is too large fails as without it, instead of ending
// the program, so that tests can see the error it becomes.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

// Takes `--name value` or `--name=value` out of `arguments`; `fallback` if it is not there.
std::string take_option(std::vector<char*>& arguments, const std::string& name,
                        const std::string& fallback) {
    for (size_t i = 1; i < arguments.size(); ++i) {
        const std::string argument = arguments[i];
        const auto at = arguments.begin() + static_cast<std::ptrdiff_t>(i);
        if (argument.rfind(name + "=", 0) == 0) {
            arguments.erase(at);
            return argument.substr(name.size() + 1);
        }
        if (argument != name) continue;
        ENSURE_INPUT(i + 1 < arguments.size(), name, "no value, expected one after it");
        const std::string value = arguments[i + 1];
        arguments.erase(at, at + 2);
        return value;
    }
    return fallback;
}

// What --ptx came to: a kernel or a line that no test reached is one that no test checks.
void print_interpreted() {
    const simt::ptx::Coverage coverage = simt::ptx::coverage();
    std::printf("PTX: %zu of %zu kernels launched, %.1f million instructions run\n",
                coverage.kernels - coverage.not_launched.size(), coverage.kernels,
                static_cast<double>(simt::ptx::instructions_run()) / 1e6);
    std::printf("PTX: %zu of their %zu instructions reached, %zu source lines not\n",
                coverage.reached, coverage.instructions, coverage.lines_not_reached.size());
    if (std::getenv("FETTLE_PTX_LINES") == nullptr) return;
    for (const std::string& kernel : coverage.not_launched)
        std::printf("not launched: %s\n", kernel.c_str());
    for (const std::string& line : coverage.lines_not_reached)
        std::printf("not reached: %s\n", line.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    take_stop_signals();
    std::vector<char*> arguments(argv, argv + argc);
    try {
        const Device device =
            device_from_name(take_option(arguments, "--device", "cpu"), "--device");
        require_device(device, "--device");
        set_tested_device(device);
        const std::string seed = take_option(arguments, "--schedule_seed", "0");
        uint32_t value = 0;
        const auto parsed = std::from_chars(seed.data(), seed.data() + seed.size(), value);
        ENSURE_INPUT(parsed.ec == std::errc() && parsed.ptr == seed.data() + seed.size(),
                     "--schedule_seed", "found \"{}\", expected a number from 0 to 2^32 - 1", seed);
        simt::set_schedule_seed(value);
        const std::string ptx = take_option(arguments, "--ptx", "");
        ENSURE_INPUT(ptx.empty() || device == Device::simt, "--ptx",
                     "on {}, expected --device simt", name_of(device));
        simt::ptx::interpret_from(ptx);
    } catch (const InputError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
    doctest::Context context(static_cast<int>(arguments.size()), arguments.data());
    const int status = context.run();
    if (simt::ptx::is_interpreting()) print_interpreted();
    return status;
}
