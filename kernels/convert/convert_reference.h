// Conversion one element at a time: the oracle.
#pragma once

#include "kernels/convert/convert.h"

template <typename To, typename From>
void convert_reference(const Convert<To, From>& args, StreamView = {}) {
    for (int64_t i = 0; i < args.count; ++i) args.out[i] = static_cast<To>(args.input[i]);
}
