// Matrix products on a GPU through cuBLASLt. Defined in cublaslt_runtime.cu and only in builds with
// nvcc (FETTLE_WITH_CUDA).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/core/stream.h"
#include "kernels/matmul/column_major.h"
#include "kernels/matmul/matmul.h"

namespace cublaslt {

// What the library may use of Matmul::scratch: enough for the partial sums of products whose
// output is small and whose K is large. Its workspaces begin at multiples of kWorkspaceAlignment.
constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;
constexpr int64_t kWorkspaceAlignment = 256;
constexpr int64_t kScratchBytes = kWorkspaceBytes + kWorkspaceAlignment;

// Empty if the library was found and has all that is called; else why not. Needs no GPU.
std::string why_missing();

// Describes the product to the library, computes nothing: an Error if it refuses a description.
// Needs no GPU.
void describe(const ColumnMajorProduct& product);

}  // namespace cublaslt

namespace on_cuda {

// cuBLASLt's product; matmul.cu's kernel where the library is missing, which stderr is told once,
// or has no algorithm for the shape.
template <typename T, typename Out>
void matmul_by_library(const Matmul<T, Out>& args, StreamView stream);

}  // namespace on_cuda
