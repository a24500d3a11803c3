// Dropout as the contract writes it, one Philox call an element: the oracle, and the double
// instantiation's form.
#pragma once

#include "kernels/dropout/dropout.h"

template <typename T>
void dropout_reference(const Dropout<T>& args, StreamView = {}) {
    for (int64_t n = 0; n < args.rows; ++n) {
        for (int c = 0; c < args.channels; ++c) {
            const auto words = philox(
                args.key, {dropout_purpose(args.site), static_cast<uint32_t>(args.row_ids[n]),
                           static_cast<uint32_t>(args.positions[n]), static_cast<uint32_t>(c / 4)});
            const bool keep = static_cast<double>(uniform(words[c % 4])) >= args.probability;
            const int64_t i = n * args.channels + c;
            args.out[i] =
                T(keep ? static_cast<double>(args.input[i]) / (1.0 - args.probability) : 0.0);
        }
    }
}
