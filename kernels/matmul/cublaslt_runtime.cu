// Matrix products through cuBLASLt: what column_major.h describes, in the library's own terms.
//
//   out = op(left) op(right) + beta * out + bias      column-major
//
// Shapes    ColumnMajorProduct's.
// Threads   The library's.
// Traffic   The library's: bound by the multiply-adds where M, N and K are large.
// Numerics  Sums in fp32 (CUBLAS_COMPUTE_32F: fp32 operands are not rounded to TF32). Where the
//           library cuts K, partial sums stay fp32 in the workspace and are added by a second
//           kernel: not in place and not in bf16, so that out is rounded once. One algorithm a
//           shape, and no atomics in those schemes: repeatable on one kind of GPU and one version
//           of the library.
// Requires  m, n, k > 0; scratch of cublaslt::kScratchBytes on the GPU; calls of one stream.
//
// Descriptors are made by the library itself rather than on our stack: their sizes differ between
// its versions.

#include <cublasLt.h>

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "kernels/core/cuda_check.cuh"
#include "kernels/matmul/column_major.h"
#include "kernels/matmul/cublaslt.h"
#include "kernels/matmul/cublaslt_library.h"

namespace on_cuda {

template <typename T, typename Out>
void matmul(const Matmul<T, Out>&, StreamView);  // matmul.cu

namespace {

// The functions that are called, under the names that the library exports.
#define FETTLE_CUBLASLT_FUNCTIONS(X)        \
    X(cublasLtCreate)                       \
    X(cublasLtGetStatusString)              \
    X(cublasLtMatmul)                       \
    X(cublasLtMatmulAlgoGetHeuristic)       \
    X(cublasLtMatmulDescCreate)             \
    X(cublasLtMatmulDescDestroy)            \
    X(cublasLtMatmulDescSetAttribute)       \
    X(cublasLtMatmulPreferenceCreate)       \
    X(cublasLtMatmulPreferenceDestroy)      \
    X(cublasLtMatmulPreferenceSetAttribute) \
    X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy)

struct Functions {
#define FETTLE_DECLARE(name) decltype(&::name) name = nullptr;
    FETTLE_CUBLASLT_FUNCTIONS(FETTLE_DECLARE)
#undef FETTLE_DECLARE
};

struct Library {
    std::string why_missing;  // empty: every function is there
    DynamicLibrary file;
    Functions call;

    Library() : file(open_cublaslt(why_missing)) {
        if (!file) return;
#define FETTLE_RESOLVE(name)                                               \
    call.name = reinterpret_cast<decltype(call.name)>(file.symbol(#name)); \
    if (call.name == nullptr) why_missing = file.path() + " has no " + #name;
        FETTLE_CUBLASLT_FUNCTIONS(FETTLE_RESOLVE)
#undef FETTLE_RESOLVE
    }
};

// Opened once and never closed: the driver may still use it while the program ends.
Library& library() {
    static Library& opened = *new Library;
    return opened;
}

void check(cublasStatus_t status, const char* what) {
    ENSURE(status == CUBLAS_STATUS_SUCCESS, "matmul: {} ({}): {} ({})", what, library().file.path(),
           library().call.cublasLtGetStatusString(status), static_cast<int>(status));
}

// Owners of what the library makes.
struct Destroy {
    void operator()(cublasLtMatmulDesc_t p) const { library().call.cublasLtMatmulDescDestroy(p); }
    void operator()(cublasLtMatrixLayout_t p) const {
        library().call.cublasLtMatrixLayoutDestroy(p);
    }
    void operator()(cublasLtMatmulPreference_t p) const {
        library().call.cublasLtMatmulPreferenceDestroy(p);
    }
};
template <typename Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;
using Operation = Owned<cublasLtMatmulDesc_t>;
using Layout = Owned<cublasLtMatrixLayout_t>;
using Preference = Owned<cublasLtMatmulPreference_t>;

cudaDataType_t cuda_type(ElementType type) {
    return type == ElementType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
}

template <typename Value>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, Value value) {
    check(library().call.cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value,
                                                        sizeof value),
          "describing the product");
}

template <typename Value>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         Value value) {
    check(library().call.cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value,
                                                              sizeof value),
          "asking for an algorithm");
}

Operation make_operation(const ColumnMajorProduct& product) {
    cublasLtMatmulDesc_t made = nullptr;
    check(library().call.cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "describing the product");
    Operation operation(made);
    const auto transposition = [](const ColumnMajorMatrix& matrix) {
        return static_cast<int32_t>(matrix.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    };
    set(operation, CUBLASLT_MATMUL_DESC_TRANSA, transposition(product.left));
    set(operation, CUBLASLT_MATMUL_DESC_TRANSB, transposition(product.right));
    if (product.bias != nullptr) {
        set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
            static_cast<uint32_t>(CUBLASLT_EPILOGUE_BIAS));
        set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, product.bias);
    }
    return operation;
}

Layout make_layout(const ColumnMajorMatrix& matrix) {
    cublasLtMatrixLayout_t made = nullptr;
    check(library().call.cublasLtMatrixLayoutCreate(
              &made, cuda_type(matrix.type), static_cast<uint64_t>(matrix.rows),
              static_cast<uint64_t>(matrix.columns), matrix.leading),
          "describing a matrix");
    return Layout(made);
}

Preference make_preference(const ProductShape& shape) {
    cublasLtMatmulPreference_t made = nullptr;
    check(library().call.cublasLtMatmulPreferenceCreate(&made), "asking for an algorithm");
    Preference preference(made);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        static_cast<uint64_t>(cublaslt::kWorkspaceBytes));
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.align_left);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.align_right);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.align_out);
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.align_out);
    return preference;
}

// How products of one shape are computed.
struct Plan {
    Operation operation;
    Layout left, right, out;
    std::optional<cublasLtMatmulAlgo_t> algorithm;  // none: the library has no such product
};

Plan describe(const ColumnMajorProduct& product) {
    return {make_operation(product), make_layout(product.left), make_layout(product.right),
            make_layout(product.out), std::nullopt};
}

Plan make_plan(cublasLtHandle_t handle, const ColumnMajorProduct& product) {
    Plan plan = describe(product);
    const Preference preference = make_preference(shape_of(product));
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    const cublasStatus_t status = library().call.cublasLtMatmulAlgoGetHeuristic(
        handle, plan.operation.get(), plan.left.get(), plan.right.get(), plan.out.get(),
        plan.out.get(), preference.get(), 1, &best, &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED && status != CUBLAS_STATUS_INVALID_VALUE)
        check(status, "asking for an algorithm");
    if (status == CUBLAS_STATUS_SUCCESS && found > 0 && best.state == CUBLAS_STATUS_SUCCESS)
        plan.algorithm = best.algo;
    return plan;
}

// One GPU's handle and the plans made so far.
class Products {
public:
    // False: the library has no such product, nothing was computed.
    bool compute(const ColumnMajorProduct& product, void* scratch, StreamView stream) {
        const std::lock_guard lock(mutex_);
        if (handle_ == nullptr)
            check(library().call.cublasLtCreate(&handle_), "starting the library");
        const Plan& plan = plan_for(product);
        if (!plan.algorithm) return false;
        if (product.bias != nullptr)
            set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, product.bias);
        const float one = 1.0f;
        auto* out = const_cast<void*>(product.out.data);
        const auto begin = reinterpret_cast<uintptr_t>(scratch) + cublaslt::kWorkspaceAlignment - 1;
        auto* workspace =
            reinterpret_cast<void*>(begin / cublaslt::kWorkspaceAlignment *
                                    static_cast<uintptr_t>(cublaslt::kWorkspaceAlignment));
        check(library().call.cublasLtMatmul(handle_, plan.operation.get(), &one, product.left.data,
                                            plan.left.get(), product.right.data, plan.right.get(),
                                            &product.beta, out, plan.out.get(), out, plan.out.get(),
                                            &*plan.algorithm, workspace,
                                            static_cast<size_t>(cublaslt::kWorkspaceBytes),
                                            static_cast<cudaStream_t>(stream.handle)),
              "computing the product");
        return true;
    }

private:
    // Micro-batches of ever new numbers of tokens must not fill the memory.
    static constexpr size_t kMostPlans = 4096;

    const Plan& plan_for(const ColumnMajorProduct& product) {
        const ProductShape shape = shape_of(product);
        const auto known = plans_.find(shape);
        if (known != plans_.end()) return known->second;
        if (plans_.size() >= kMostPlans) plans_.clear();
        return plans_.emplace(shape, make_plan(handle_, product)).first->second;
    }

    std::mutex mutex_;
    cublasLtHandle_t handle_ = nullptr;
    std::map<ProductShape, Plan> plans_;
};

Products& products() {
    static Products& all = *new Products;  // as the library: never destroyed
    return all;
}

bool library_is_here() {
    static const bool here = [] {
        const std::string why = cublaslt::why_missing();
        if (!why.empty())
            std::fprintf(stderr,
                         "matmul: no cuBLASLt (%s); the built-in kernel, which is slower, computes "
                         "matrix products. %s=FILE names the library.\n",
                         why.c_str(), kCublasLtVariable);
        return why.empty();
    }();
    return here;
}

}  // namespace

template <typename T, typename Out>
void matmul_by_library(const Matmul<T, Out>& args, StreamView stream) {
    const ColumnMajorProduct product = column_major(args);
    if (product.expressible && library_is_here() &&
        products().compute(product, args.scratch, stream))
        return;
    on_cuda::matmul(args, stream);
}

template void matmul_by_library(const Matmul<float, float>&, StreamView);
template void matmul_by_library(const Matmul<bf16, bf16>&, StreamView);
template void matmul_by_library(const Matmul<bf16, float>&, StreamView);

}  // namespace on_cuda

void cublaslt::describe(const ColumnMajorProduct& product) {
    on_cuda::describe(product);
    on_cuda::make_preference(shape_of(product));
}

std::string cublaslt::why_missing() { return on_cuda::library().why_missing; }
