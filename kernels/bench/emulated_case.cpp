#include "kernels/bench/emulated_case.h"

#include <fmt/core.h>

#include "kernels/simt/launch_list.h"
#include "kernels/simt/profile.h"
#include "kernels/simt/ptx/kernel_name.h"

#if defined(FETTLE_CHECK)
std::string counts_of(const BenchCase& bench) {
    const PreparedCase run = bench.prepare(Device::simt);
    simt::profile::start();
    run({.device = Device::simt});
    std::string lines =
        fmt::format("{} {}\n  {:<28} {:<13} {:>5} {:>9} {:>6} {:>9} {:>9}\n", bench.op, bench.shape,
                    "line", "access", "bytes", "requests", "lanes", "cost each", "least");
    for (const simt::profile::Line& line : simt::profile::stop()) {
        const auto each = [&](int64_t sum) { return double(sum) / double(line.requests); };
        lines += fmt::format("  {:<28} {:<13} {:>5} {:>9} {:>6.1f} {:>9.2f} {:>9.2f}{}\n",
                             line.place, line.what, line.bytes, line.requests, each(line.lanes),
                             each(line.cost), each(line.least), line.cost > line.least ? " *" : "");
    }
    return lines;
}
#else
std::string counts_of(const BenchCase&) { return ""; }
#endif

std::string launches_of(const BenchCase& bench) {
    const PreparedCase run = bench.prepare(Device::simt);
    const simt::LaunchList list;
    run({.device = Device::simt});
    std::string lines;
    for (const auto& [kernel, blocks, threads, shared_bytes] : list.launches)
        lines += fmt::format("{} {} {}\n", threads.x * threads.y * threads.z, shared_bytes,
                             simt::ptx::function_name(kernel));
    return lines;
}
