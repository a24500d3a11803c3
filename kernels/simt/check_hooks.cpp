// What the compiler calls in code that is instrumented by -fsanitize=thread and -fsanitize=bounds.
// Their own runtime libraries are not linked: these are all the functions of theirs that such code
// needs.
#if defined(FETTLE_CHECK)
#include <fmt/core.h>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/shadow.h"

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

// What a struct takes need not be a power of two, nor be aligned to its size.
static void access_range(void* address, size_t bytes, Kind kind, const void* pc) {
    const auto* at = static_cast<const char*>(address);
    for (const char* end = at + bytes; at < end;) {
        const bool is_odd = reinterpret_cast<uintptr_t>(at) % 2 != 0 || end - at == 1;
        simt::check::access(at, is_odd ? 1 : 2, kind, pc);
        at += is_odd ? 1 : 2;
    }
}

extern "C" {
void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_read_range(void* address, unsigned long bytes) {
    access_range(address, bytes, Kind::read, __builtin_return_address(0));
}
void __tsan_write_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes) {
    access_range(address, bytes, Kind::write, __builtin_return_address(0));
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
// Host code beside a kernel: a static variable's guard.
char __tsan_atomic8_load(const volatile char* address, int order);
char __tsan_atomic8_load(const volatile char* address, int) {
    return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

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

// A pointer that does not fit its type, whatever accesses the compiler makes of it.
struct TypeCheck {
    BoundsCheck place;
    const void* type;
    unsigned char log_alignment, kind;
};
void __ubsan_handle_type_mismatch_v1(void* data, void* pointer);
void __ubsan_handle_type_mismatch_v1(void* data, void* pointer) {
    if (simt::block == nullptr || simt::block->current == nullptr) return;
    const simt::check::Inside emulator;
    const auto& check = *static_cast<TypeCheck*>(data);
    const std::string file(check.place.file);
    const int alignment = 1 << check.log_alignment;
    if (reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(alignment) == 0) return;
    simt::team->error = fmt::format(
        "misaligned: {} at {}:{} uses as a type of alignment {} what begins at {}",
        simt::name_of(*simt::block->current), file.substr(file.rfind('/') + 1), check.place.line,
        alignment, simt::check::name_of_address(static_cast<const char*>(pointer)));
    simt::end_block();
}
void __ubsan_handle_type_mismatch_v1_abort(void* data, void* pointer);
void __ubsan_handle_type_mismatch_v1_abort(void* data, void* pointer) {
    __ubsan_handle_type_mismatch_v1(data, pointer);
}
void __ubsan_handle_out_of_bounds_abort(void* data, void* index);
void __ubsan_handle_out_of_bounds_abort(void* data, void* index) {
    __ubsan_handle_out_of_bounds(data, index);
}
}
#endif
