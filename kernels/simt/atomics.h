// Atomic functions of CUDA. They are real atomics, since blocks run on several OS threads.
#pragma once

#include <atomic>
#include <type_traits>

#include "kernels/simt/check.h"

namespace simt {

void yield();  // other threads may go on here, if their order is random

// Replaces *address by update(*address) and returns what was there.
template <typename T, typename Update>
T read_modify_write(T* address, const Update& update, Place place = {}) {
    yield();
    check::atomic_access(address, sizeof(T), place);
    if constexpr (check::kOn) {  // one OS thread runs all blocks
        const check::Inside emulator;
        const T before = *address;
        *address = update(before);
        return before;
    }
    const std::atomic_ref<T> shared(*address);
    T old = shared.load(std::memory_order_relaxed);
    while (!shared.compare_exchange_weak(old, update(old), std::memory_order_relaxed)) {
    }
    return old;
}

}  // namespace simt

namespace on_simt {

// The value is what the address holds, so atomicAdd(&count, 1) is for unsigned counts too.
#define FETTLE_ATOMIC(name, ...)                                                       \
    template <typename T>                                                              \
    T name(T* address, std::type_identity_t<T> value, FETTLE_CALLER) {                 \
        return simt::read_modify_write(address, [=](T old) { return T(__VA_ARGS__); }, \
                                       {file, line});                                  \
    }
FETTLE_ATOMIC(atomicAdd, old + value)
FETTLE_ATOMIC(atomicSub, old - value)
FETTLE_ATOMIC(atomicMax, old > value ? old : value)
FETTLE_ATOMIC(atomicMin, old < value ? old : value)
FETTLE_ATOMIC(atomicAnd, old& value)
FETTLE_ATOMIC(atomicOr, old | value)
FETTLE_ATOMIC(atomicXor, old ^ value)
FETTLE_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
FETTLE_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)
FETTLE_ATOMIC(atomicExch, ((void)old, value))
#undef FETTLE_ATOMIC
template <typename T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value,
            FETTLE_CALLER) {
    return simt::read_modify_write(address, [=](T old) { return old == expected ? value : old; },
                                   {file, line});
}

}  // namespace on_simt
