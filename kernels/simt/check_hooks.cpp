// What the compiler calls in code that is instrumented by -fsanitize=thread and -fsanitize=bounds.
// Their own runtime libraries are not linked: these are all the functions of theirs that such code
// needs.
#if defined(FETTLE_CHECK)
#include <fmt/core.h>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

using simt::check::Kind;

#define HOOK(name, bytes, kind)                                                       \
    extern "C" void name(void* address);                                              \
    extern "C" void name(void* address) {                                             \
        simt::check::access(address, bytes, Kind::kind, __builtin_return_address(0)); \
    }
#define HOOKS(bytes)                                  \
    HOOK(__tsan_read##bytes, bytes, read)             \
    HOOK(__tsan_write##bytes, bytes, write)           \
    HOOK(__tsan_unaligned_read##bytes, bytes, read)   \
    HOOK(__tsan_unaligned_write##bytes, bytes, write) \
    HOOK(__tsan_volatile_read##bytes, bytes, read)    \
    HOOK(__tsan_volatile_write##bytes, bytes, write)
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

extern "C" {
// What a struct takes need not be a power of two, nor be aligned to its size.
void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_read_range(void* address, unsigned long bytes) {
    for (unsigned long i = 0; i < bytes; i += 2)
        simt::check::access(static_cast<char*>(address) + i, 2, Kind::read,
                            __builtin_return_address(0));
}
void __tsan_write_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes) {
    for (unsigned long i = 0; i < bytes; i += 2)
        simt::check::access(static_cast<char*>(address) + i, 2, Kind::write,
                            __builtin_return_address(0));
}
void __tsan_func_entry(void*);
void __tsan_func_entry(void*) {}
void __tsan_func_exit();
void __tsan_func_exit() {}
void __tsan_init();
void __tsan_init() {}
void __tsan_vptr_read(void**);
void __tsan_vptr_read(void**) {}
void __tsan_vptr_update(void**, void*);
void __tsan_vptr_update(void**, void*) {}

// An index beyond an array whose size the compiler knows: static shared memory, registers.
struct BoundsCheck {
    const char* file;
    unsigned line, column;
};
void __ubsan_handle_out_of_bounds(void* data, void* index);
void __ubsan_handle_out_of_bounds(void* data, void* index) {
    if (simt::block == nullptr || simt::block->current == nullptr) return;
    const simt::check::Inside emulator;
    const auto& check = *static_cast<BoundsCheck*>(data);
    const std::string file(check.file);
    simt::team->error =
        fmt::format("out of bounds: {} at {}:{} uses the index {}, which is outside its array",
                    simt::name_of(*simt::block->current), file.substr(file.rfind('/') + 1),
                    check.line, reinterpret_cast<intptr_t>(index));
    simt::end_block();
}
void __ubsan_handle_out_of_bounds_abort(void* data, void* index);
void __ubsan_handle_out_of_bounds_abort(void* data, void* index) {
    __ubsan_handle_out_of_bounds(data, index);
}
}
#endif
