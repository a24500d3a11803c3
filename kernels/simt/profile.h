// What the lanes of a warp ask of memory together, by line of source: in a check build, between
// start() and stop(), every load and store is counted as part of its warp's request.
//
// Lanes run one after another here. The n-th time that a lane passes an instruction belongs to the
// same request as the n-th time of the others; so a request has fewer than 32 lanes where they
// diverge, which is shown too.
//
//   global memory   sectors of 32 bytes that a request touches; at least its distinct bytes / 32
//   shared memory   wavefronts: 32 banks of 4 bytes give one word each a turn. Lanes that read 8 or
//                   16 bytes take 2 or 4 turns, half or a quarter of a warp each; at least the
//                   distinct words / 32 (CUDA C++ Programming Guide, "Shared Memory")
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simt::profile {

struct Line {
    std::string place;  // file:line
    std::string what;   // "global load", "shared store", "matrix load", ...
    int bytes = 0;      // of a lane
    int64_t requests = 0;
    int64_t lanes = 0;  // of all requests together
    int64_t cost = 0;   // sectors or wavefronts of all requests together
    int64_t least = 0;  // that the same bytes could cost
};

#if defined(FETTLE_CHECK)
void start();
std::vector<Line> stop();  // what was counted, the costliest line first

// Called by the checker, for the thread that runs.
void note(const void* address, size_t bytes, bool is_write, bool is_shared, uint32_t pc);
void note_matrix(const void* const (&rows)[8], bool is_write, uint32_t pc);
void end_cluster();
bool is_on();  // one cluster after another, then
#else
inline void note_matrix(const void* const (&)[8], bool, uint32_t) {}
inline void end_cluster() {}
inline bool is_on() { return false; }
#endif

}  // namespace simt::profile
