// bin/bench: how fast each operation is; on simt, what its lines ask of memory, or its launches.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "kernels/bench/bench_case.h"
#include "kernels/bench/emulated_case.h"
#include "kernels/core/buffer.h"
#include "kernels/core/check.h"
#include "kernels/core/graph.h"
#include "kernels/simt/check.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"

namespace {

namespace fs = std::filesystem;

// A GPU keeps in its L2 what ran before; a step of training does not find its operands there.
constexpr int64_t kMoreThanL2 = int64_t{256} << 20;

// Median seconds of a run, after two that warm up: at least five runs and 0.2 s. On cuda each is a
// replay, so that the host's launches are not measured, and finds nothing in L2.
double median_seconds(const PreparedCase& prepared, const Stream& stream) {
    const bool is_gpu = stream.view().device == Device::cuda;
    const Buffer<char> flushed(stream.view().device, is_gpu ? kMoreThanL2 : 0, "L2 flush");
    const auto run = [&] { prepared(stream.view()); };
    std::optional<Graph> graph;
    std::vector<double> seconds;
    double total = 0.0;
    for (int i = 0; i < 2 || seconds.size() < 5 || (total < 0.2 && seconds.size() < 1000); ++i) {
        if (is_gpu && i == 1) graph.emplace(stream.view(), run);
        set_to_zero(stream.view(), flushed.data(), flushed.bytes());
        const double taken = stream.seconds_of([&] { graph ? graph->replay() : run(); });
        if (i < 2) continue;
        seconds.push_back(taken);
        total += taken;
    }
    std::nth_element(seconds.begin(), seconds.begin() + int64_t(seconds.size() / 2), seconds.end());
    return seconds[seconds.size() / 2];
}

void print_time(const BenchCase& bench, Device device) {
    const Stream stream(device);
    const double seconds = median_seconds(bench.prepare(device), stream);
    fmt::print("{:<20} {:<34} {:>11.1f} us {:>9.1f} GB/s", bench.op, bench.shape, seconds * 1e6,
               bench.bytes / seconds * 1e-9);
    if (bench.flops > 0) fmt::print(" {:>9.1f} GFLOP/s", bench.flops / seconds * 1e-9);
    fmt::print("\n");
}

// Counts are those of a check build: another program, which takes over.
void become_check_build(char** argv) {
    const fs::path own = fs::read_symlink("/proc/self/exe").parent_path();
    const fs::path other = own / "../build/check-nocuda/bin/bench";
    execv(other.c_str(), argv);
    throw InputError(
        fmt::format("{}: not found; make CONFIG=check CUDA=0 build/check-nocuda/bin/bench builds "
                    "it",
                    other.lexically_normal().string()));
}

int body(int argc, char** argv) {
    CommonOptions common;
    std::vector<std::string> ops;
    bool launches = false;
    Flags flags("bin/bench", "time the operations of a step; --device simt: count by source line");
    flags.positional("OP", ops, "Operations, or how their names begin; none: all.");
    flags.add("launches", launches,
              "On simt: each launch's threads, dynamic shared bytes and kernel; nothing runs.");
    add_common_flags(flags, common);
    flags.parse(argc, argv);
    const Device device = apply_common_options(common);
    const bool counts = device == Device::simt && !launches;
    ENSURE_INPUT(!launches || device == Device::simt, "--launches", "on {}, expected --device simt",
                 name_of(device));
    if (counts && !simt::check::kOn) become_check_build(argv);
    std::vector<BenchCase> cases = bench_cases(device, counts);
    std::erase_if(cases, [&](const BenchCase& bench) {
        const auto begins = [&](const std::string& op) { return bench.op.starts_with(op); };
        return !ops.empty() && std::none_of(ops.begin(), ops.end(), begins);
    });
    ENSURE_INPUT(!cases.empty(), ops.front(), "is no operation; bin/bench lists all as it goes");
    for (const BenchCase& bench : cases) {
        if (device == Device::simt)
            fmt::print("{}", launches ? launches_of(bench) : counts_of(bench));
        else
            print_time(bench, device);
    }
    if (counts) fmt::print("{}", kCountsLegend);
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
