// A stray access of a kernel hits a guard page and raises SIGSEGV. The handler does not return to
// the access: it sends the OS thread to the top of the same fiber's stack, which nobody needs any
// more, and from there the block ends with an Error like any other. Faults outside kernels go to
// whoever handled them before.
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#include "kernels/simt/block.h"
#include "kernels/simt/simt.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#if !defined(ASAN_UNPOISON_MEMORY_REGION)
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)0)
#endif

namespace simt {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kSignalStackBytes = 64 * 1024;

struct sigaction previous;
thread_local const char* fault_address = nullptr;

std::string describe_fault() {
    const Thread& thread = *block->current;
    const Context& fiber = thread.fiber->context();
    if (fault_address < fiber.stack && fault_address >= fiber.stack - Fiber::kGuardBytes)
        return fmt::format("{} needs more than {} bytes of stack", name_of(thread),
                           fiber.stack_bytes);
    return fmt::format("{} accesses {}, which is outside every buffer", name_of(thread),
                       static_cast<const void*>(fault_address));
}

[[noreturn]] void end_block_after_fault() {
    team->error = describe_fault();
    end_block();
}

void handle(int, siginfo_t* info, [[maybe_unused]] void* context) {
    if (block == nullptr || block->current == nullptr) {
        sigaction(SIGSEGV, &previous, nullptr);  // the access is repeated and raises it again
        return;
    }
    fault_address = static_cast<const char*>(info->si_addr);
#if defined(__x86_64__) && defined(__linux__)
    const Context& fiber = block->current->fiber->context();
    ASAN_UNPOISON_MEMORY_REGION(fiber.stack, fiber.stack_bytes);
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto top = reinterpret_cast<uintptr_t>(fiber.stack + fiber.stack_bytes);
    registers[REG_RSP] = static_cast<greg_t>((top & ~uintptr_t{15}) - 64 - 8);  // as after a call
    registers[REG_RIP] = reinterpret_cast<greg_t>(&end_block_after_fault);
#else
    static const char message[] = "simt: a kernel accesses memory outside every buffer\n";
    (void)!write(2, message, sizeof message - 1);
    _exit(1);
#endif
}

// The handler needs a stack of its own: the one in use may be what overflowed.
void give_signal_stack() {
    stack_t current{};
    sigaltstack(nullptr, &current);
    if ((current.ss_flags & SS_DISABLE) == 0) return;
    static thread_local const auto memory = std::make_unique<char[]>(kSignalStackBytes);
    stack_t wanted{};
    wanted.ss_sp = memory.get();
    wanted.ss_size = kSignalStackBytes;
    sigaltstack(&wanted, nullptr);
}

}  // namespace

void check_shared_range(const void* address, size_t bytes, const Thread& thread, Place place) {
    const auto* first = static_cast<const unsigned char*>(address);
    const unsigned char* begin = block->shared_end - block->shared_capacity;
    if (first < begin || first >= block->shared_end + kPage) return;
    const unsigned char* mine = dynamic_shared();
    if (first >= mine && first + bytes <= mine + block->grid.shared_bytes) return;
    fail(
        fmt::format("out of bounds: {} at {} uses {} bytes at byte {} of dynamic shared memory, "
                    "which has {}",
                    name_of(thread), place.text(), bytes, first - mine, block->grid.shared_bytes));
}

void prepare_thread_for_faults() {
    [[maybe_unused]] static thread_local const bool given = (give_signal_stack(), true);
}

void watch_for_faults() {
    struct sigaction current {};
    sigaction(SIGSEGV, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == handle) return;
    previous = current;
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace simt
