// What a check build (make CONFIG=check) asks of the emulator. There, the compiler calls
// check_hooks.cpp before every load and store of a .cu file, and check.cpp decides whether the
// access was allowed: within a buffer, of initialised shared memory, ordered with what other
// threads did to the same bytes. Elsewhere all of this is empty.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simt/place.h"

namespace simt {
struct Copy;  // block.h
}

namespace simt::check {

enum class Kind { read, write, atomic };

#if defined(FETTLE_CHECK)
constexpr bool kOn = true;

// A load, store or atomic of the thread that runs, by the instruction before `pc`. Ends the block
// if it is an error.
void access(const void* address, size_t bytes, Kind kind, const void* pc);
// For kernels compiled with instrumentation: the access is at the caller's line.
void atomic_access(const void* address, size_t bytes);
// An access to shared memory that an instruction at `place` makes for a thread of the block.
void shared_access(int thread, const void* address, size_t bytes, Kind kind, Place place);
// A copy that the thread that runs begins, and sees complete. In between its source must not be
// written, and its destination not be touched, by any thread.
void begin_copy(const Copy& copy);
void end_copy(const Copy& copy);

void begin_grid();
void begin_block();
// The threads know from now on what all of them did: the whole block, or lanes of a warp.
void order_block();
void order_lanes(int warp, uint32_t mask);

// Device memory: a place for `bytes` of whole pages, null if all 16 GiB were given out once; which
// part of it is a buffer, and is not.
void* reserve(size_t bytes);
void add_buffer(const void* start, size_t bytes, const char* name);
void remove_buffer(const void* start);

// While one lives, accesses are the emulator's own. Emulated functions begin with it.
class Inside {
public:
    Inside();
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

private:
    const bool before_;
};
// The reverse: while one lives, a kernel runs.
class Outside {
public:
    Outside();
    ~Outside();
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;
};
#else
constexpr bool kOn = false;
inline void atomic_access(const void*, size_t) {}
inline void shared_access(int, const void*, size_t, Kind, Place) {}
inline void begin_copy(const Copy&) {}
inline void end_copy(const Copy&) {}
inline void begin_grid() {}
inline void begin_block() {}
inline void order_block() {}
inline void order_lanes(int, uint32_t) {}
inline void add_buffer(const void*, size_t, const char*) {}
inline void remove_buffer(const void*) {}
struct Inside {
    Inside() {}
};
struct Outside {
    Outside() {}
};
#endif

}  // namespace simt::check
