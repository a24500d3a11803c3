// Conversion between element types: one thread per 16 bytes of the wider type.
//
//   out[i] = To(input[i]), rounded to nearest even
//
// Shapes    out, input [count].
// Threads   Thread t of the grid owns the elements nt, ..., nt + n - 1: 4 of float and bf16, 2 of
//           float and double.
// Traffic   Reads and writes count elements, in accesses of 128 and 64 bits where operands begin at
//           multiples of them; a warp's are consecutive on both sides. Memory-bound.
// Numerics  The bits of the cpu form: conversions are exact or round once.
// Requires  count > 0; out does not overlap input.

#include "kernels/convert/convert.h"

#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"

namespace FETTLE_DEVICE {
namespace {

template <typename To, typename From>
constexpr int kElements = sizeof(To) > sizeof(From) ? kPackSize<To> : kPackSize<From>;

template <typename To, typename From>
__global__ void convert_thread_per_pack(Convert<To, From> args) {
    constexpr int n = kElements<To, From>;
    const int64_t first = pack_of_thread() * n;
    const int64_t left = args.count - first;  // at most 0 beyond the end
    const auto input = load_pack<n>(args.input + first, left);
    Pack<To, n> out;
    for (int i = 0; i < n; ++i) out.values[i] = static_cast<To>(input.values[i]);
    store_pack(args.out + first, out, left);
}

}  // namespace

template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView stream) {
    const auto packs = ceil_div<int64_t>(args.count, kElements<To, From>);
    launch(convert_thread_per_pack<To, From>, pack_run_shape(packs, stream), args);
}

template void convert(const Convert<bf16, float>&, StreamView);
template void convert(const Convert<float, bf16>&, StreamView);
template void convert(const Convert<double, float>&, StreamView);
template void convert(const Convert<float, double>&, StreamView);

}  // namespace FETTLE_DEVICE
