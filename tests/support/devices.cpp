#include "tests/support/devices.h"

#include <optional>
#include <random>

namespace {

Device device = Device::cpu;
std::optional<Stream> stream;

void check_lengths(const std::vector<double>& actual, const std::vector<double>& expected) {
    ENSURE(actual.size() == expected.size(), "comparison: found {} values, expected {}",
           actual.size(), expected.size());
}

// |actual - expected|; infinite if only one of them is a NaN, 0 if both are or if they are equal.
double distance(double actual, double expected) {
    if (actual == expected || (std::isnan(actual) && std::isnan(expected))) return 0.0;
    const double difference = std::abs(actual - expected);
    return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

// error / scale, where no error is 0 and any error of a zero or infinite quantity is infinite.
double relative(double error, double scale) {
    if (error == 0.0) return 0.0;
    return scale > 0.0 && std::isfinite(scale) ? error / scale
                                               : std::numeric_limits<double>::infinity();
}

}  // namespace

Device tested_device() { return device; }
StreamView test_stream() { return stream ? stream->view() : StreamView{.device = device}; }
void set_tested_device(Device tested) {
    device = tested;
    stream.emplace(tested);
}

std::vector<double> normal_doubles(int64_t count, double mean, double deviation, uint64_t seed) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> distribution(mean, deviation);
    std::vector<double> values(static_cast<size_t>(count));
    for (double& value : values) value = distribution(generator);
    return values;
}

double max_relative_error(const std::vector<double>& actual, const std::vector<double>& expected) {
    check_lengths(actual, expected);
    double error = 0.0, scale = 0.0;
    for (size_t i = 0; i < actual.size(); ++i) {
        error = std::max(error, distance(actual[i], expected[i]));
        if (std::isfinite(expected[i])) scale = std::max(scale, std::abs(expected[i]));
    }
    return relative(error, scale);
}

double relative_norm_error(const std::vector<double>& actual, const std::vector<double>& expected) {
    check_lengths(actual, expected);
    double error_sq = 0.0, scale_sq = 0.0;
    for (size_t i = 0; i < actual.size(); ++i) {
        const double error = distance(actual[i], expected[i]);
        error_sq += error * error;
        if (std::isfinite(expected[i])) scale_sq += expected[i] * expected[i];
    }
    return relative(std::sqrt(error_sq), std::sqrt(scale_sq));
}

double finite_difference_error(std::vector<double>& x, const std::vector<double>& gradient,
                               const std::function<double()>& loss, double step) {
    std::vector<double> slope;
    for (double& value : x) {
        const double kept = value;
        value = kept + step;
        const double above = loss();
        value = kept - step;
        const double below = loss();
        value = kept;
        slope.push_back((above - below) / (2.0 * step));
    }
    return relative_norm_error(gradient, slope);
}
