// Copies a run of elements into another type, rounding to nearest even.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename To, typename From>
struct Convert {
    To* out = nullptr;            // [count]
    const From* input = nullptr;  // [count]
    int64_t count = 0;
};

// Runs on the stream's device; allocates nothing. float <-> bf16, float <-> double.
template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView stream);
