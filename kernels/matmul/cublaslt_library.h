// NVIDIA's library of matrix products, found and opened on first use: a program needs it neither to
// start nor to be linked.
//
// FETTLE_CUBLASLT in the environment names the file to open instead of searching, or says "off".
#pragma once

#include <string>
#include <vector>

#include "kernels/core/dynamic_library.h"

constexpr const char* kCublasLtVariable = "FETTLE_CUBLASLT";

// Where it may lie, best first: the loader's own places (LD_LIBRARY_PATH among them), CUDA
// toolkits ($CUDA_HOME, $CUDA_PATH, /usr/local/cuda), PyTorch's packages in Python environments
// ($VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /usr). Paths exist; names are for the loader to find.
std::vector<std::string> cublaslt_candidates();

// Opens it. Not found, or off: an empty library, and `why` says so. An InputError that names the
// variable if that names a file which does not open.
DynamicLibrary open_cublaslt(std::string& why);
