#include "model/program/main.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <new>
#include <string>

#include "kernels/core/check.h"
#include "model/program/flags.h"
#include "model/program/say.h"
#include "model/program/signals.h"

namespace {

int fail(int exit_code, const char* program, const char* kind, std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');  // one line, whatever it quotes
    std::fflush(stdout);
    say("{}: {}: {}\n", program, kind, message);
    return exit_code;
}

// A file that is opened must not take the place of a closed stdin, stdout or stderr.
void open_standard_streams() {
    for (int stream = 0; stream <= 2; ++stream)
        if (fcntl(stream, F_GETFD) == -1) open("/dev/null", O_RDWR);
}

}  // namespace

int run_main(int (*body)(int, char**), int argc, char** argv) {
    const char* const program = argc > 0 ? argv[0] : "fettle";
    open_standard_streams();
    take_stop_signals();
    try {
        int exit_code = 0;
        try {
            exit_code = body(argc, argv);
        } catch (const Finished&) {
        }
        // A full disk or a closed pipe shows only here.
        const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
        ENSURE_INPUT(written || exit_code != 0, "standard output", "cannot be written");
        return exit_code;
    } catch (const GateRefused& refusal) {
        return fail(3, program, "refused", refusal.what());
    } catch (const InputError& error) {
        return fail(2, program, "error", error.what());
    } catch (const std::filesystem::filesystem_error& error) {
        return fail(2, program, "error",
                    fmt::format("{}: {}", error.path1().string(), error.code().message()));
    } catch (const std::bad_alloc&) {
        return fail(1, program, "internal error", "out of memory");
    } catch (const std::exception& error) {
        return fail(1, program, "internal error", error.what());
    } catch (...) {
        return fail(1, program, "internal error", "an exception of unknown type");
    }
}
