#include "model/linear.h"

#include "kernels/matmul/matmul.h"

namespace {

// The parameters that are computed as one matrix: [first, end).
int end_of_parts(const ParameterTable& table, const Linear& linear) {
    int part = linear.weight;
    for (int64_t width = 0; width < linear.out; ++part) width += table[part].count / linear.in;
    return part;
}

bool any_quantized(const ParameterTable& table, const Linear& linear) {
    for (int part = linear.weight; part < end_of_parts(table, linear); ++part)
        if (table[part].quantized) return true;
    return false;
}

template <typename T>
Matmul<T> product(const Linear& linear, const LinearForward<T>& args, const T* weight,
                  const T* bias) {
    return {.out = args.out,
            .a = args.input,
            .b = weight,
            .bias = bias,
            .scratch = args.scratch,
            .m = args.rows,
            .n = linear.out,
            .k = linear.in,
            .transpose_b = !linear.transposed};
}

// Part by part, side by side in out.
void forward_by_parts(const ParameterStore<float>& store, const Linear& linear,
                      const LinearForward<float>& args, StreamView stream) {
    const ParameterTable& table = store.table();
    const float* bias = linear.bias < 0 ? nullptr : store.weight(linear.bias);
    int64_t done = 0;
    for (int part = linear.weight; part < end_of_parts(table, linear); ++part) {
        const int64_t width = table[part].count / linear.in;
        const float* part_bias = bias ? bias + done : nullptr;
        if (table[part].quantized) {
            quantized_matmul({.out = args.out + done,
                              .a = args.input,
                              .b = store.quantized(part),
                              .bias = part_bias,
                              .scratch = args.scratch,
                              .m = args.rows,
                              .n = width,
                              .k = linear.in,
                              .ldc = linear.out},
                             stream);
        } else {
            Matmul<float> plain = product(linear, args, store.weight(part), part_bias);
            plain.out += done;
            plain.n = width;
            plain.ldc = linear.out;
            matmul(plain, stream);
        }
        done += width;
    }
}

}  // namespace

template <typename T>
void linear_forward(const ParameterStore<T>& store, const Linear& linear,
                    const LinearForward<T>& args, StreamView stream) {
    if constexpr (std::is_same_v<T, float>)
        if (any_quantized(store.table(), linear))
            return forward_by_parts(store, linear, args, stream);
    matmul(product(linear, args, store.weight(linear.weight),
                   linear.bias < 0 ? nullptr : store.weight(linear.bias)),
           stream);
}

template <typename T>
void linear_backward(ParameterStore<T>& store, const Linear& linear, const LinearBackward<T>& args,
                     StreamView stream) {
    if (args.grad_input)
        matmul(Matmul<T>{.out = args.grad_input,
                         .a = args.grad_out,
                         .b = store.weight(linear.weight),
                         .scratch = args.scratch,
                         .m = args.rows,
                         .n = linear.in,
                         .k = linear.out,
                         .transpose_b = linear.transposed},
               stream);
    // [in, out] += input^T grad_out, or [out, in] += grad_out^T input
    matmul(Matmul<T, Accumulator<T>>{.out = store.gradient(linear.weight),
                                     .a = linear.transposed ? args.input : args.grad_out,
                                     .b = linear.transposed ? args.grad_out : args.input,
                                     .scratch = args.scratch,
                                     .m = linear.transposed ? linear.in : linear.out,
                                     .n = linear.transposed ? linear.out : linear.in,
                                     .k = args.rows,
                                     .transpose_a = true,
                                     .accumulate = true},
           stream);
    if (linear.bias >= 0)
        bias_gradient(BiasGradient<T>{.grad_bias = store.gradient(linear.bias),
                                      .scratch = args.scratch,
                                      .grad_out = args.grad_out,
                                      .m = args.rows,
                                      .n = linear.out},
                      stream);
}

#define INSTANTIATE(T)                                                                             \
    template void linear_forward(const ParameterStore<T>&, const Linear&, const LinearForward<T>&, \
                                 StreamView);                                                      \
    template void linear_backward(ParameterStore<T>&, const Linear&, const LinearBackward<T>&,     \
                                  StreamView);
INSTANTIATE(float)
INSTANTIATE(bf16)
INSTANTIATE(double)
