// Runs a kernel over a grid of blocks on the simt device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/simt/launch_list.h"
#include "kernels/simt/ptx/interpreter.h"
#include "kernels/simt/types.h"

namespace simt {

struct Grid {
    on_simt::dim3 blocks;
    on_simt::dim3 threads;  // of a block
    size_t shared_bytes = 0;
    unsigned cluster = 1;                     // blocks of a cluster, in a row along x
    void (*call)(void* arguments) = nullptr;  // runs the kernel for the current thread
    void* arguments = nullptr;
    size_t argument_bytes = 0;
};
// Returns when every block is over. What a kernel does wrong (a stray access, a barrier that not
// all threads reach, a warp function that not all lanes call) is an Error that names block, thread
// and line; the rest of the grid is then not run.
void run_grid(const Grid& grid);

// 0: threads run in order, each until it must wait, and blocks one after another. Otherwise several
// blocks are alive at once, and blocks, warps and lanes are taken in a random order that is a
// function of the seed: a kernel's results must not depend on it.
void set_schedule_seed(uint32_t seed);
uint32_t schedule_seed();

constexpr int kMaxThreads = 1024;               // of a block
constexpr int kMaxCluster = 8;                  // blocks of a cluster that every sm_90 takes
constexpr size_t kMaxSharedBytes = 227 * 1024;  // what a block may use on sm_90

// Calls the kernel over `grid`, whose last three fields are filled in here. Or interprets its PTX,
// if ptx::interpret_from said so.
template <typename... Parameters>
void launch(void (*kernel)(Parameters...), Grid grid, std::tuple<Parameters...> arguments) {
    if (is_listed(
            {reinterpret_cast<const void*>(kernel), grid.blocks, grid.threads, grid.shared_bytes}))
        return;
    struct Call {
        void (*kernel)(Parameters...);
        std::tuple<Parameters...> arguments;
    } call{kernel, std::move(arguments)};
    if (ptx::is_interpreting()) {
        const auto list = [](const Parameters&... values) {
            return std::vector<ptx::Argument>{{&values, sizeof values}...};
        };
        return ptx::launch(reinterpret_cast<const void*>(kernel), grid.blocks, grid.threads,
                           grid.shared_bytes, std::apply(list, call.arguments), grid.cluster);
    }
    grid.call = [](void* of) {
        std::apply(static_cast<Call*>(of)->kernel, static_cast<Call*>(of)->arguments);
    };
    grid.arguments = &call;
    grid.argument_bytes = sizeof call;
    run_grid(grid);
}

}  // namespace simt
