#include "kernels/adamw/adamw.h"

#include "kernels/adamw/adamw_reference.h"
#include "kernels/core/check.h"
#include "kernels/core/dispatch.h"

namespace on_cpu {
template <typename T>
void adamw(const AdamW<T>& args, StreamView stream);
}
namespace on_cuda {
template <typename T>
void adamw(const AdamW<T>& args, StreamView stream);
}
namespace on_simt {
template <typename T>
void adamw(const AdamW<T>& args, StreamView stream);
}

namespace {

template <typename T>
void check(const AdamW<T>& args) {
    ENSURE(args.count >= 0, "adamw: count is {}, expected 0 or more", args.count);
    ENSURE(args.step >= 1, "adamw: step is {}, expected 1 or more (steps are 1-based)", args.step);
    for (const double beta : {args.beta1, args.beta2})
        ENSURE(beta >= 0.0 && beta < 1.0, "adamw: found a beta of {}, expected 0 <= beta < 1",
               beta);
    if (args.count == 0) return;
    ENSURE(args.weight && args.master, "adamw: weight or master is null, expected tensors");
    ENSURE(args.moment1 && args.moment2, "adamw: a moment is null, expected two tensors");
    ENSURE(args.gradient, "adamw: gradient is null, expected a tensor");
}

}  // namespace

template <typename T>
void adamw(const AdamW<T>& args, StreamView stream) {
    check(args);
    if (args.count == 0) return;
    if constexpr (std::is_same_v<T, double>) {
        ENSURE(stream.device == Device::cpu, "adamw: double runs on cpu only");
        adamw_reference(args);
    } else {
        dispatch("adamw", args, stream, on_cpu::adamw<T>, FETTLE_CUDA_FORM(on_cuda::adamw<T>),
                 on_simt::adamw<T>);
    }
}

template void adamw(const AdamW<float>&, StreamView);
template void adamw(const AdamW<bf16>&, StreamView);
template void adamw(const AdamW<double>&, StreamView);
