// Atomic functions of CUDA. They are real atomics, since blocks run on several OS threads.
#pragma once

#include <atomic>

#include "kernels/simt/check.h"

namespace simt {

void yield();  // other threads may go on here, if their order is random

// Replaces *address by update(*address) and returns what was there.
template <typename T, typename Update>
T read_modify_write(T* address, const Update& update) {
    yield();
    check::atomic_access(address, sizeof(T));
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

template <typename T>
T atomicAdd(T* address, T value) {
    return simt::read_modify_write(address, [=](T old) { return T(old + value); });
}
template <typename T>
T atomicMax(T* address, T value) {
    return simt::read_modify_write(address, [=](T old) { return old > value ? old : value; });
}
template <typename T>
T atomicMin(T* address, T value) {
    return simt::read_modify_write(address, [=](T old) { return old < value ? old : value; });
}
template <typename T>
T atomicExch(T* address, T value) {
    return simt::read_modify_write(address, [=](T) { return value; });
}
template <typename T>
T atomicCAS(T* address, T expected, T value) {
    return simt::read_modify_write(address, [=](T old) { return old == expected ? value : old; });
}

}  // namespace on_simt
