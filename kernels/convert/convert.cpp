#include "kernels/convert/convert.h"

#include "kernels/core/dispatch.h"

namespace on_cpu {
template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView stream);
}  // namespace on_simt

template <typename To, typename From>
void convert(const Convert<To, From>& args, StreamView stream) {
    ENSURE(args.count >= 0, "convert: count is {}, expected at least 0", args.count);
    if (args.count == 0) return;
    ENSURE(args.out != nullptr, "convert: out is null, expected [{}]", args.count);
    ENSURE(args.input != nullptr, "convert: input is null, expected [{}]", args.count);
    dispatch("convert", args, stream, on_cpu::convert<To, From>,
             FETTLE_CUDA_FORM((on_cuda::convert<To, From>)), on_simt::convert<To, From>);
}

template void convert(const Convert<bf16, float>&, StreamView);
template void convert(const Convert<float, bf16>&, StreamView);
template void convert(const Convert<double, float>&, StreamView);
template void convert(const Convert<float, double>&, StreamView);
