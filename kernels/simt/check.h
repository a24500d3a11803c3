// What a check build (make CONFIG=check) asks of the emulator. There, the compiler calls
// check_hooks.cpp before every load and store of a .cu file, and check.cpp decides whether the
// access was allowed: within a buffer, of initialised shared memory, ordered with what other
// threads did to the same bytes. Elsewhere all of this is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simt/place.h"

namespace simt {
struct Copy;  // block.h
}

namespace simt::check {

enum class Kind { read, write, atomic };

// A part of what an engine (clocks.h) does, after a thread told it to: what the thread that runs
// now knows of came before, and `clock` is what is learned of when it has ended.
struct EngineWork {
    int engine;
    uint32_t clock;
    bool is_shared;  // the memory that it accesses
    Place place;
};

#if defined(FETTLE_CHECK)
constexpr bool kOn = true;

// A load, store or atomic of the thread that runs, by the instruction before `pc`. Ends the block
// if it is an error.
void access(const void* address, size_t bytes, Kind kind, const void* pc);
void atomic_access(const void* address, size_t bytes, Place place);
// __threadfence, or the block's, by the thread that runs: grid_order.h.
void fence_memory(bool is_for_grid);
bool is_judging();
// An access to shared memory that an instruction at `place` makes for a thread of the block.
void shared_access(int thread, const void* address, size_t bytes, Kind kind, Place place);
// A copy that the thread that runs begins, and sees complete. In between its source must not be
// written, and its destination not be touched, by any thread.
void begin_copy(const Copy& copy);
void end_copy(const Copy& copy);
// The same for what an engine does. It has ended for a thread that learned of the clock. Engines go
// past what threads stored, unless a fence.proxy.async came between.
void engine_access(const EngineWork& work, const void* address, size_t bytes, Kind kind);
int add_engine();                        // of the block
void learn(int engine, uint32_t clock);  // by a wait of the thread that runs
// A moment of the thread that runs, and whether it knows of such a moment of another.
uint32_t mark();
bool knows_mark(int other, uint32_t mark);

// A line of source as a number that line_of knows, like the address of an instruction.
uint32_t pc_of(Place place);
std::string line_of(uint32_t pc);

void begin_grid();
void begin_block();
void enter_block();  // `block` is another one that has begun
void end_visits();   // all its threads have returned: others must have left its shared memory
// What was seen by threads that arrived somewhere, and is by those who wait for them.  [actor]
using Seen = std::vector<uint32_t>;
void release(int thread, Seen& into);
void release_engine(int engine, uint32_t clock, Seen& into);
void acquire(const Seen& from);
// fence.proxy.async by the thread that runs: asynchronous accesses that come after see what it
// knows.
void fence_async_proxy();
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
// While one lives, nothing is judged: what runs are interpreted kernels, whose plain accesses are
// not seen.
class Unjudged {
public:
    Unjudged();
    ~Unjudged();
    Unjudged(const Unjudged&) = delete;
    Unjudged& operator=(const Unjudged&) = delete;
};
#else
constexpr bool kOn = false;
inline void atomic_access(const void*, size_t, Place) {}
inline void fence_memory(bool) {}
inline void shared_access(int, const void*, size_t, Kind, Place) {}
inline void begin_copy(const Copy&) {}
inline void end_copy(const Copy&) {}
inline void engine_access(const EngineWork&, const void*, size_t, Kind) {}
inline int add_engine() { return 0; }
inline void learn(int, uint32_t) {}
inline uint32_t mark() { return 0; }
inline bool knows_mark(int, uint32_t) { return true; }
inline uint32_t pc_of(Place) { return 0; }
struct Seen {};
inline void release(int, Seen&) {}
inline void release_engine(int, uint32_t, Seen&) {}
inline void acquire(const Seen&) {}
inline void fence_async_proxy() {}
inline void begin_grid() {}
inline void begin_block() {}
inline void enter_block() {}
inline void end_visits() {}
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
struct Unjudged {
    Unjudged() {}
};
#endif

}  // namespace simt::check
