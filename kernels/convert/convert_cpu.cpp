// Conversion on the cpu device: pieces of consecutive elements, vectorised. Memory-bound.

#include "kernels/convert/convert.h"
#include "kernels/core/parallel.h"

namespace on_cpu {

template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView) {
    parallel_for(args.count, 16384, [&](int64_t begin, int64_t end) {
        const From* __restrict__ input = args.input;
        To* __restrict__ out = args.out;
        for (int64_t i = begin; i < end; ++i) out[i] = static_cast<To>(input[i]);
    });
}

template void convert(const Convert<bf16, float>&, StreamView);
template void convert(const Convert<float, bf16>&, StreamView);
template void convert(const Convert<double, float>&, StreamView);
template void convert(const Convert<float, double>&, StreamView);

}  // namespace on_cpu
