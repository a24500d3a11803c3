// Probes: functions of floats, 64 arguments each; contraction, denormals, NaNs.

#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

// clang-format off
struct Exp { __device__ float operator()(float x) const { return expf(x); } };
struct FastExp { __device__ float operator()(float x) const { return __expf(x); } };
struct Exp2 { __device__ float operator()(float x) const { return exp2f(x); } };
struct Expm1 { __device__ float operator()(float x) const { return expm1f(x); } };
struct Log { __device__ float operator()(float x) const { return logf(x); } };
struct FastLog { __device__ float operator()(float x) const { return __logf(x); } };
struct InverseRoot { __device__ float operator()(float x) const { return rsqrtf(x); } };
struct Root { __device__ float operator()(float x) const { return sqrtf(x); } };
struct Inverse { __device__ float operator()(float x) const { return 1.0f / x; } };
// clang-format on

// in [64], out [64]
template <typename F>
__global__ void probe_function(uint32_t* out, const uint32_t* in) {
    out[threadIdx.x] = __float_as_uint(F{}(__uint_as_float(in[threadIdx.x])));
}

// in [32, 2]; out [32, 2]: the quotient as C++ has it, and the fast one
__global__ void probe_division(uint32_t* out, const uint32_t* in) {
    const float a = __uint_as_float(in[2 * threadIdx.x]);
    const float b = __uint_as_float(in[2 * threadIdx.x + 1]);
    out[2 * threadIdx.x] = __float_as_uint(a / b);
    out[2 * threadIdx.x + 1] = __float_as_uint(__fdividef(a, b));
}

// in [32, 3]; out [32, 5]: x * y, x + z, fmaf(x, y, z), max(x, y), and x * y + z as the compiler
// likes it
__global__ void probe_arithmetic(uint32_t* out, const uint32_t* in) {
    const float x = __uint_as_float(in[3 * threadIdx.x]);
    const float y = __uint_as_float(in[3 * threadIdx.x + 1]);
    const float z = __uint_as_float(in[3 * threadIdx.x + 2]);
    uint32_t* const own = out + 5 * threadIdx.x;
    own[0] = __float_as_uint(x * y);
    own[1] = __float_as_uint(x + z);
    own[2] = __float_as_uint(fmaf(x, y, z));
    own[3] = __float_as_uint(fmaxf(x, y));
    own[4] = __float_as_uint(x * y + z);
}

}  // namespace

ProbeKernels math_probes() {
    return {{"expf", run_probe<probe_function<Exp>, 64>},
            {"fast_expf", run_probe<probe_function<FastExp>, 64>},
            {"exp2f", run_probe<probe_function<Exp2>, 64>},
            {"expm1f", run_probe<probe_function<Expm1>, 64>},
            {"logf", run_probe<probe_function<Log>, 64>},
            {"fast_logf", run_probe<probe_function<FastLog>, 64>},
            {"rsqrtf", run_probe<probe_function<InverseRoot>, 64>},
            {"sqrtf", run_probe<probe_function<Root>, 64>},
            {"reciprocal", run_probe<probe_function<Inverse>, 64>},
            {"division", run_probe<probe_division>},
            {"arithmetic", run_probe<probe_arithmetic>}};
}

}  // namespace FETTLE_DEVICE
