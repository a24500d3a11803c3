// Threads of the cpu device. Work is cut into a fixed number of pieces, never by thread count,
// where the cut can change a rounding: results are the same bits for 1 thread and for 64.
#pragma once

#include <algorithm>
#include <cstdint>

// Calls body(begin, end) on consecutive pieces of [0, count), at least `grain` items each and at
// most 256 of them. The pieces depend on count and grain only.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
    if (count <= grain) {
        if (count > 0) body(int64_t{0}, count);
        return;
    }
    const int64_t pieces = std::min<int64_t>(count / grain, 256);
#pragma omp parallel for schedule(static)
    for (int64_t piece = 0; piece < pieces; ++piece)
        body(count * piece / pieces, count * (piece + 1) / pieces);
}

// Calls body(i) once for each of 0 .. count - 1, in any order: for work of uneven size whose
// results are kept apart. The body must not throw.
template <class Body>
void parallel_tasks(int64_t count, const Body& body) {
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < count; ++i) body(i);
}

// How many threads the cpu device uses: set_threads' value, else the machine's cores.
int num_threads();
// Which of them runs this code: 0 .. num_threads() - 1. For scratch memory, never for results.
int thread_index();
void set_threads(int threads);
