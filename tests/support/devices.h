// What tests of operations share: the device under test, inputs, and measures of error.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "kernels/core/buffer.h"
#include "kernels/core/check.h"
#include "kernels/core/dtype.h"
#include "kernels/core/parallel.h"
#include "kernels/core/stream.h"
#include "kernels/simt/check.h"

// The device that --device named (default cpu), and one stream on it for the whole program.
Device tested_device();
StreamView test_stream();
void set_tested_device(Device device);
// Emulated with every access judged, which is a hundred times slower: tests take fewer cases there,
// of the same kinds.
inline bool every_access_is_judged() { return simt::check::kOn && tested_device() == Device::simt; }

// One unit in the last place of numbers near 1: 2^-23 for float, 2^-7 for bf16.
template <typename T>
constexpr double kUlp = std::numeric_limits<T>::epsilon();
template <>
inline constexpr double kUlp<bf16> = 0x1p-7;

// ---- inputs: pure functions of their arguments, rounded to T ----
std::vector<double> normal_doubles(int64_t count, double mean, double deviation, uint64_t seed);

template <typename To, typename From>
std::vector<To> converted(const std::vector<From>& values) {
    std::vector<To> out;
    out.reserve(values.size());
    for (const From& value : values) out.push_back(To(double(value)));
    return out;
}
template <typename T = float>
std::vector<T> normal(int64_t count, double mean, double deviation, uint64_t seed) {
    return converted<T>(normal_doubles(count, mean, deviation, seed));
}

// ---- measures of error ----

// max |actual - expected| / max |expected|. Infinite for a NaN where none was expected; equal
// infinities agree. A length that differs is an Error.
double max_relative_error(const std::vector<double>& actual, const std::vector<double>& expected);
// ||actual - expected|| / ||expected||, likewise.
double relative_norm_error(const std::vector<double>& actual, const std::vector<double>& expected);

template <typename T, typename U>
double max_relative_error(const std::vector<T>& actual, const std::vector<U>& expected) {
    return max_relative_error(converted<double>(actual), converted<double>(expected));
}
template <typename T, typename U>
double relative_norm_error(const std::vector<T>& actual, const std::vector<U>& expected) {
    return relative_norm_error(converted<double>(actual), converted<double>(expected));
}
template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() &&
           (a.empty() || !std::memcmp(a.data(), b.data(), sizeof(T) * a.size()));
}

// Central differences of `loss`, which reads `x`, against `gradient` [x.size()], in relative norm.
// `x` is as it was afterwards.
double finite_difference_error(std::vector<double>& x, const std::vector<double>& gradient,
                               const std::function<double()>& loss, double step = 1e-5);

// Runs `body` with `threads` threads on the cpu device and returns what it returns.
template <typename Body>
auto with_threads(int threads, const Body& body) {
    struct Restore {
        int threads = num_threads();
        ~Restore() { set_threads(threads); }
    } restore;
    set_threads(threads);
    return body();
}
