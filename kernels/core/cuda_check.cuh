// The check behind every call of the CUDA API that may not fail.
#pragma once

#include <cuda_runtime.h>

#include "kernels/core/check.h"

// An Error that says `what` was being done and what CUDA answered, unless status is success.
inline void cuda_check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    (void)cudaGetLastError();
    throw Error(
        fmt::format("{}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status)));
}
