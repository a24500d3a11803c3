#include "kernels/attention/cache_append.h"

#include "kernels/attention/cache_append_reference.h"
#include "kernels/core/check.h"
#include "kernels/core/dispatch.h"

namespace on_cpu {
template <typename T>
void cache_append(const CacheAppend<T>& args, StreamView) {
    cache_append_reference(args);  // copies: nothing is to be gained
}
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void cache_append(const CacheAppend<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void cache_append(const CacheAppend<T>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void cache_append(const CacheAppend<T>& args, StreamView stream) {
    constexpr auto op = "cache_append";
    ENSURE(args.tokens >= 0 && args.rows >= 0, "{}: {} tokens, {} rows, expected 0 or more", op,
           args.tokens, args.rows);
    ENSURE(args.width > 0 && args.stride >= args.width,
           "{}: width is {}, stride {}, expected 1 <= width <= stride", op, args.width,
           args.stride);
    if (args.tokens == 0) return;
    ENSURE(args.key_cache && args.value_cache && args.k && args.v && args.query_starts &&
               args.key_starts && args.key_counts,
           "{}: a null pointer, expected tensors", op);
    if constexpr (std::is_same_v<T, double>) {
        ENSURE(stream.device == Device::cpu, "{}: double runs on cpu only", op);
        cache_append_reference(args);
    } else {
        dispatch(op, args, stream, on_cpu::cache_append<T>,
                 FETTLE_CUDA_FORM(on_cuda::cache_append<T>), on_simt::cache_append<T>);
    }
}

template void cache_append(const CacheAppend<float>&, StreamView);
template void cache_append(const CacheAppend<bf16>&, StreamView);
template void cache_append(const CacheAppend<double>&, StreamView);
