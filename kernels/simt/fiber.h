// Fibers: stacks that can be left in the middle of a function and come back to. Each thread of a
// block that has to wait keeps its stack until it may go on.
//
// On x86-64 a switch saves the six registers that a function call preserves: about 5 ns. Elsewhere
// it is ucontext's, which makes a system call. AddressSanitizer is told of every switch.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) && !defined(FETTLE_UCONTEXT)
#define FETTLE_UCONTEXT 1
#endif
#if defined(FETTLE_UCONTEXT)
#include <ucontext.h>
#endif

namespace simt {

// Where a stack stands while something else runs.
struct Context {
#if defined(FETTLE_UCONTEXT)
    ucontext_t registers{};
#else
    void* stack_pointer = nullptr;
#endif
    char* stack = nullptr;  // its lowest byte
    size_t stack_bytes = 0;
    void* fake_stack = nullptr;  // AddressSanitizer's
};

// The context of the OS thread that calls, to switch back to.
Context host_context();
// Leaves `from` as it stands and goes on in `to`. Returns when something switches to `from`; if
// `for_good`, nothing will.
void switch_context(Context& from, Context& to, bool for_good = false);
// The first statement of every fiber.
void fiber_started();

class Fiber {
public:
    static constexpr size_t kGuardBytes = 64 * 1024;  // inaccessible, below the stack

    explicit Fiber(void (*entry)());  // entry never returns
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    Context& context() { return context_; }
    // Forgets what ran there, destructors included; the next switch begins at the entry.
    void restart();

private:
    void (*entry_)();
    char* mapping_ = nullptr;  // a guard page, then the stack
    size_t offset_ = 0;        // of the first frame below the end of the stack
    Context context_;
};

}  // namespace simt
