// Matrix products through oneDNN, fp32 and bf16; the bias gradient by hand.
//
// oneDNN's matmul primitive takes both operands with any strides, so a transposed operand is a
// view, not a copy. Making a primitive costs more than a small product, so one is kept for every
// shape that was asked for (a training run has a few dozen).

#include <algorithm>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/matmul/matmul.h"

namespace on_cpu {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
    static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

dnnl::stream& stream() {
    static thread_local dnnl::stream in_order(engine());
    return in_order;
}

template <typename T>
constexpr memory::data_type kType = memory::data_type::f32;
template <>
constexpr memory::data_type kType<bf16> = memory::data_type::bf16;

// Everything that a primitive depends on besides the element types.
struct Shape {
    int64_t m, n, k, lda, ldb, ldc;
    bool transpose_a, transpose_b, accumulate, bias;
    auto operator<=>(const Shape&) const = default;
};

memory::desc matrix(int64_t rows, int64_t columns, memory::data_type type, int64_t stride,
                    bool transposed) {
    return {{rows, columns}, type, transposed ? memory::dims{1, stride} : memory::dims{stride, 1}};
}

template <typename T, typename Out>
dnnl::matmul make_primitive(const Shape& s) {
    const auto a = matrix(s.m, s.k, kType<T>, s.lda, s.transpose_a);
    const auto b = matrix(s.k, s.n, kType<T>, s.ldb, s.transpose_b);
    const auto c = matrix(s.m, s.n, kType<Out>, s.ldc, false);
    dnnl::primitive_attr attributes;
    if (s.accumulate) {
        dnnl::post_ops sum;
        sum.append_sum(1.0f);
        attributes.set_post_ops(sum);
    }
    const auto bias = matrix(1, s.n, kType<T>, s.n, false);
    const auto description =
        s.bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
    return dnnl::matmul(dnnl::matmul::primitive_desc(description, attributes, engine()));
}

template <typename T, typename Out>
const dnnl::matmul& primitive_for(const Shape& shape) {
    static std::mutex mutex;
    static std::map<Shape, dnnl::matmul> known;
    const std::lock_guard lock(mutex);
    auto found = known.find(shape);
    if (found == known.end()) found = known.emplace(shape, make_primitive<T, Out>(shape)).first;
    return found->second;
}

}  // namespace

template <typename T, typename Out>
void matmul(const Matmul<T, Out>& args, StreamView) {
    const Shape shape{.m = args.m,
                      .n = args.n,
                      .k = args.k,
                      .lda = args.lda ? args.lda : (args.transpose_a ? args.m : args.k),
                      .ldb = args.ldb ? args.ldb : (args.transpose_b ? args.k : args.n),
                      .ldc = args.ldc ? args.ldc : args.n,
                      .transpose_a = args.transpose_a,
                      .transpose_b = args.transpose_b,
                      .accumulate = args.accumulate,
                      .bias = args.bias != nullptr};
    const dnnl::matmul& primitive = primitive_for<T, Out>(shape);
    const auto view = [](const auto& description, const void* data) {
        return memory(description, engine(), const_cast<void*>(data));
    };
    const dnnl::matmul::primitive_desc description(
        const_cast<dnnl_primitive_desc_t>(primitive.get_primitive_desc()));
    std::unordered_map<int, memory> operands{
        {DNNL_ARG_SRC, view(description.src_desc(), args.a)},
        {DNNL_ARG_WEIGHTS, view(description.weights_desc(), args.b)},
        {DNNL_ARG_DST, view(description.dst_desc(), args.out)}};
    if (args.bias) operands.emplace(DNNL_ARG_BIAS, view(description.bias_desc(), args.bias));
    primitive.execute(stream(), operands);
    stream().wait();
}
// Kept bounded and independent of the thread count: partial sums of kBlocks runs of rows, in order.
constexpr int64_t kBlocks = 32;

template <typename T>
void bias_gradient(const BiasGradient<T>& args, StreamView) {
    const int64_t stride = args.stride ? args.stride : args.n;
    auto* partial = static_cast<float*>(args.scratch);  // [kBlocks, N]
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < kBlocks; ++block) {
        float* sums = partial + block * args.n;
        std::fill(sums, sums + args.n, 0.0f);
        const int64_t end = args.m * (block + 1) / kBlocks;
        for (int64_t m = args.m * block / kBlocks; m < end; ++m) {
            const T* row = args.grad_out + m * stride;
#pragma omp simd
            for (int64_t n = 0; n < args.n; ++n) sums[n] += static_cast<float>(row[n]);
        }
    }
    parallel_for(args.n, 256, [&](int64_t begin, int64_t end) {
        for (int64_t block = 0; block < kBlocks; ++block)
            for (int64_t n = begin; n < end; ++n) args.grad_bias[n] += partial[block * args.n + n];
    });
}

template void matmul(const Matmul<float, float>&, StreamView);
template void matmul(const Matmul<bf16, bf16>&, StreamView);
template void matmul(const Matmul<bf16, float>&, StreamView);
template void bias_gradient(const BiasGradient<float>&, StreamView);
template void bias_gradient(const BiasGradient<bf16>&, StreamView);

}  // namespace on_cpu

int64_t bias_gradient_scratch_bytes(int64_t n, int64_t accumulator_bytes) {
    return on_cpu::kBlocks * n * accumulator_bytes;
}
