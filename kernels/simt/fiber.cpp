#include "kernels/simt/fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>

#include "kernels/core/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define FETTLE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FETTLE_ASAN 1
#endif
#endif
#if defined(FETTLE_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(FETTLE_UCONTEXT)
// Pushes what a call preserves, stores the stack pointer in *from, goes on with the stack `to`.
extern "C" void fettle_switch_stack(void** from, void* to);
asm(R"(
.text
.globl fettle_switch_stack
.type fettle_switch_stack,@function
fettle_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp,(%rdi)
    movq %rsi,%rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size fettle_switch_stack,.-fettle_switch_stack
)");
#endif

namespace simt {
namespace {

constexpr size_t kMaxOffset = 20 * 1024;  // of the first frame
#if defined(FETTLE_ASAN)
constexpr size_t kStackBytes = kMaxOffset + 256 * 1024;  // instrumented frames are larger
#else
constexpr size_t kStackBytes = kMaxOffset + 64 * 1024;
#endif

std::atomic<size_t> num_fibers{0};

// Frames that were abandoned leave memory poisoned, which whoever has it next must not find.
void unpoison([[maybe_unused]] const Context& context) {
#if defined(FETTLE_ASAN)
    __asan_unpoison_memory_region(context.stack, context.stack_bytes);
#endif
}

}  // namespace

Context host_context() {
    Context context;
#if defined(FETTLE_ASAN)
    pthread_attr_t attributes;
    void* stack = nullptr;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &context.stack_bytes);
    pthread_attr_destroy(&attributes);
    context.stack = static_cast<char*>(stack);
#endif
    return context;
}

void switch_context(Context& from, Context& to, [[maybe_unused]] bool for_good) {
#if defined(FETTLE_ASAN)
    __sanitizer_start_switch_fiber(for_good ? nullptr : &from.fake_stack, to.stack, to.stack_bytes);
#endif
#if defined(FETTLE_UCONTEXT)
    swapcontext(&from.registers, &to.registers);
#else
    fettle_switch_stack(&from.stack_pointer, to.stack_pointer);
#endif
#if defined(FETTLE_ASAN)
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

void fiber_started() {
#if defined(FETTLE_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

// First frames are staggered: at equal offsets within their pages the fibers of a block would
// compete for the same few lines of the L1 cache, which triples the cost of a switch.
Fiber::Fiber(void (*entry)()) : entry_(entry), offset_(64 + num_fibers++ % 61 * 320) {
    void* mapping = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ENSURE(mapping != MAP_FAILED, "simt: no memory for the stack of fiber {}", num_fibers.load());
    mapping_ = static_cast<char*>(mapping);
    mprotect(mapping_, kGuardBytes, PROT_NONE);
    context_.stack = mapping_ + kGuardBytes;
    context_.stack_bytes = kStackBytes;
    restart();
}

Fiber::~Fiber() {
    unpoison(context_);
    munmap(mapping_, kGuardBytes + kStackBytes);
}

void Fiber::restart() {
    unpoison(context_);
#if defined(FETTLE_ASAN)
    context_.fake_stack = nullptr;
#endif
#if defined(FETTLE_UCONTEXT)
    getcontext(&context_.registers);
    context_.registers.uc_stack.ss_sp = context_.stack;
    context_.registers.uc_stack.ss_size = kStackBytes - offset_ / 64 * 64;
    context_.registers.uc_link = nullptr;
    makecontext(&context_.registers, entry_, 0);
#else
    // What fettle_switch_stack pops: six registers, then the entry as its return address. Above
    // lies a null return address, which ends backtraces and aligns the stack as a call would.
    char* top = context_.stack + kStackBytes - offset_;
    auto* frame = reinterpret_cast<uintptr_t*>(top) - 8;
    for (int i = 0; i < 8; ++i) frame[i] = 0;
    frame[6] = reinterpret_cast<uintptr_t>(entry_);
    context_.stack_pointer = frame;
#endif
}

}  // namespace simt
