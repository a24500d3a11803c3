#include "kernels/dropout/dropout.h"

#include "kernels/core/dispatch.h"
#include "kernels/dropout/dropout_reference.h"

namespace on_cpu {
template <typename T>
void dropout(const Dropout<T>& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
template <typename T>
void dropout(const Dropout<T>& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
template <typename T>
void dropout(const Dropout<T>& args, StreamView stream);
}  // namespace on_simt

template <typename T>
void dropout(const Dropout<T>& args, StreamView stream) {
    ENSURE(args.rows >= 0, "dropout: rows is {}, expected at least 0", args.rows);
    ENSURE(args.channels > 0, "dropout: channels is {}, expected at least 1", args.channels);
    ENSURE(args.probability >= 0.0 && args.probability < 1.0,
           "dropout: probability is {}, expected at least 0 and less than 1", args.probability);
    ENSURE(args.site < (1u << 24), "dropout: site is {}, expected less than 2^24", args.site);
    if (args.rows == 0) return;
    ENSURE(args.out != nullptr, "dropout: out is null, expected [{}, {}]", args.rows,
           args.channels);
    ENSURE(args.input != nullptr, "dropout: input is null, expected [{}, {}]", args.rows,
           args.channels);
    ENSURE(args.row_ids != nullptr && args.positions != nullptr,
           "dropout: row_ids or positions is null, expected [{}] each", args.rows);
    if constexpr (std::is_same_v<T, double>)
        dispatch("dropout", args, stream, dropout_reference<T>);
    else
        dispatch("dropout", args, stream, on_cpu::dropout<T>, FETTLE_CUDA_FORM(on_cuda::dropout<T>),
                 on_simt::dropout<T>);
}

template void dropout(const Dropout<float>&, StreamView);
template void dropout(const Dropout<bf16>&, StreamView);
template void dropout(const Dropout<double>&, StreamView);
