#include "kernels/quantize/quantized_matmul.h"

#include "kernels/core/check.h"
#include "kernels/core/dispatch.h"

namespace on_cpu {
void quantized_matmul(const QuantizedMatmul&, StreamView);
void quantized_rows(const QuantizedRows&, StreamView);
}  // namespace on_cpu

void quantized_matmul(const QuantizedMatmul& args, StreamView stream) {
    ENSURE(args.m >= 0 && args.n > 0 && args.k > 0,
           "quantized_matmul: M, N, K are {}, {}, {}; expected M >= 0 and N, K > 0", args.m, args.n,
           args.k);
    ENSURE(values_per_block(args.b.type) > 1 && args.k % values_per_block(args.b.type) == 0,
           "quantized_matmul: K is {}, weights are {}; expected whole blocks", args.k,
           name_of(args.b.type));
    if (args.m == 0) return;
    ENSURE(args.out && args.a && args.b.blocks && args.scratch,
           "quantized_matmul: out, a, b or scratch is null");
    dispatch("quantized_matmul", args, stream, on_cpu::quantized_matmul);
}

void quantized_rows(const QuantizedRows& args, StreamView stream) {
    ENSURE(args.count >= 0 && args.channels % values_per_block(args.table.type) == 0,
           "quantized_rows: {} rows of {} {} weights; expected whole blocks", args.count,
           args.channels, name_of(args.table.type));
    if (args.count == 0) return;
    ENSURE(args.out && args.rows && args.table.blocks,
           "quantized_rows: out, rows or table is null");
    dispatch("quantized_rows", args, stream, on_cpu::quantized_rows);
}
