// The only place that chooses between an operation's cpu, cuda and simt forms.
#pragma once

#include <type_traits>

#include "kernels/core/check.h"
#include "kernels/core/stream.h"

template <class Args>
using Implementation = void (*)(const Args&, StreamView);

// A null implementation means that this build has no such form: an Error that names the operation.
// Only `args` decides what Args is, so that nullptr may stand for a form.
template <class Args>
void dispatch(const char* op, const Args& args, StreamView stream,
              std::type_identity_t<Implementation<Args>> cpu,
              std::type_identity_t<Implementation<Args>> cuda = nullptr,
              std::type_identity_t<Implementation<Args>> simt = nullptr) {
    const Implementation<Args> chosen = stream.device == Device::cpu    ? cpu
                                        : stream.device == Device::cuda ? cuda
                                                                        : simt;
    ENSURE(chosen != nullptr, "{}: this build has no {} form", op, name_of(stream.device));
    chosen(args, stream);
}

// The cuda form of an operation, or null in a build without nvcc.
#if defined(FETTLE_WITH_CUDA)
#define FETTLE_CUDA_FORM(function) function
#else
#define FETTLE_CUDA_FORM(function) nullptr
#endif
