#include "model/linear.h"

#include "kernels/matmul/matmul.h"

template <typename T>
void linear_forward(const ParameterStore<T>& store, const Linear& linear,
                    const LinearForward<T>& args, StreamView stream) {
    matmul(Matmul<T>{.out = args.out,
                     .a = args.input,
                     .b = store.weight(linear.weight),
                     .bias = linear.bias < 0 ? nullptr : store.weight(linear.bias),
                     .scratch = args.scratch,
                     .m = args.rows,
                     .n = linear.out,
                     .k = linear.in,
                     .transpose_b = !linear.transposed},
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
