#include "kernels/sample/sample.h"

#include <limits>

#include "kernels/core/dispatch.h"

namespace on_cpu {
void sample(const Sample& args, StreamView stream);
}  // namespace on_cpu
namespace on_cuda {
void sample(const Sample& args, StreamView stream);
}  // namespace on_cuda
namespace on_simt {
void sample(const Sample& args, StreamView stream);
}  // namespace on_simt

void sample(const Sample& args, StreamView stream) {
    ENSURE(args.rows >= 0, "sample: rows is {}, expected at least 0", args.rows);
    ENSURE(args.vocabulary > 0 && args.vocabulary <= std::numeric_limits<int32_t>::max(),
           "sample: vocabulary is {}, expected 1 to 2^31 - 1", args.vocabulary);
    ENSURE(args.temperature >= 0.0f, "sample: temperature is {}, expected at least 0",
           args.temperature);
    ENSURE(args.top_k >= 0, "sample: top_k is {}, expected at least 0", args.top_k);
    ENSURE(args.top_p > 0.0f && args.top_p <= 1.0f,
           "sample: top_p is {}, expected more than 0 and at most 1", args.top_p);
    ENSURE(args.repetition_penalty > 0.0f, "sample: repetition_penalty is {}, expected more than 0",
           args.repetition_penalty);
    if (args.rows == 0) return;
    ENSURE(args.tokens != nullptr, "sample: tokens is null, expected [{}]", args.rows);
    ENSURE(args.logits != nullptr, "sample: logits is null, expected [{}, {}]", args.rows,
           args.vocabulary);
    ENSURE(args.positions != nullptr, "sample: positions is null, expected [{}]", args.rows);
    ENSURE(args.repetition_penalty == 1.0f || args.seen_starts != nullptr,
           "sample: seen_starts is null, expected [{}] because repetition_penalty is {}",
           args.rows + 1, args.repetition_penalty);
    ENSURE(args.scratch != nullptr, "sample: scratch is null, expected {} bytes",
           sample_scratch_bytes(stream.device, args.rows, args.vocabulary));
    dispatch("sample", args, stream, on_cpu::sample, FETTLE_CUDA_FORM(on_cuda::sample),
             on_simt::sample);
}

int64_t sample_scratch_bytes(Device device, int rows, int64_t vocabulary) {
    // Penalised logits, and beside each a token's id on the cpu, its probability elsewhere.
    const size_t beside = device == Device::cpu ? sizeof(int32_t) : sizeof(uint64_t);
    return rows * vocabulary * static_cast<int64_t>(sizeof(float) + beside);
}
