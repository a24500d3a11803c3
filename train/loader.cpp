#include "train/loader.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace {

// Rows over which packing looks for a pack with room: packs stay near their rows' order.
constexpr size_t kPackingWindow = 1000;

}  // namespace

std::vector<int64_t> permutation(int64_t count, uint64_t seed, int64_t epoch) {
    const PhiloxKey key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), int64_t{0});
    for (int64_t i = count - 1; i > 0; --i) {
        const auto words = philox(
            key, {static_cast<uint32_t>(RandomPurpose::shuffle), static_cast<uint32_t>(epoch),
                  static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32)});
        const uint64_t random = uint64_t{words[0]} << 32 | words[1];
        const auto range = static_cast<uint64_t>(i) + 1;
        // The upper half of the 128-bit product is uniform to within 2^-64 * range.
        const auto j =
            static_cast<uint64_t>((static_cast<unsigned __int128>(random) * range) >> 64);
        std::swap(order[static_cast<size_t>(i)], order[j]);
    }
    return order;
}

Loader::Loader(const Corpus& corpus, const LoaderOptions& options)
    : corpus_(corpus), options_(options) {
    ENSURE(corpus.num_rows() > 0, "loader: no rows");
    ENSURE(options.batch_size > 0 && options.accumulation > 0,
           "loader: batches of {} rows, {} a step", options.batch_size, options.accumulation);
}

const std::vector<Loader::Unit>& Loader::units_of(int64_t epoch) {
    if (cached_epoch_ == epoch) return cached_units_;
    std::vector<int64_t> order(static_cast<size_t>(corpus_.num_rows()));
    std::iota(order.begin(), order.end(), int64_t{0});
    if (options_.shuffle) order = permutation(corpus_.num_rows(), options_.seed, epoch);
    if (options_.packing) {
        cached_units_ = packed(order);
    } else {
        cached_units_.clear();
        for (const int64_t row : order) cached_units_.push_back({row});
    }
    cached_epoch_ = epoch;
    return cached_units_;
}

// First fit: a row joins the first pack of its window that has room for it.
std::vector<Loader::Unit> Loader::packed(const std::vector<int64_t>& order) const {
    std::vector<Unit> units;
    std::vector<int64_t> room;
    for (size_t first = 0; first < order.size(); first += kPackingWindow) {
        const size_t window_begin = units.size();
        for (size_t i = first; i < std::min(order.size(), first + kPackingWindow); ++i) {
            const auto length = static_cast<int64_t>(corpus_.row(order[i]).size());
            size_t unit = window_begin;
            while (unit < units.size() && room[unit] < length) ++unit;
            if (unit == units.size()) {
                units.emplace_back();
                room.push_back(options_.max_length);
            }
            units[unit].push_back(order[i]);
            room[unit] -= length;
        }
    }
    return units;
}

int64_t Loader::steps_of(int64_t epoch) {
    if (!options_.packing) epoch = 0;  // only packing makes epochs of different lengths
    const int64_t per_step = options_.batch_size * options_.accumulation;
    while (static_cast<int64_t>(epoch_steps_.size()) <= epoch) {
        const auto units =
            static_cast<int64_t>(units_of(static_cast<int64_t>(epoch_steps_.size())).size());
        epoch_steps_.push_back((units + per_step - 1) / per_step);
    }
    return epoch_steps_[static_cast<size_t>(epoch)];
}

int64_t Loader::steps_in(double epochs) {
    // One rounding of the product: 2.1 epochs of 10 steps are 21, but 2.1 - 2 is more than 0.1.
    if (!options_.packing)
        return static_cast<int64_t>(std::ceil(epochs * static_cast<double>(steps_of(0))));
    const auto whole = static_cast<int64_t>(std::floor(epochs));
    int64_t steps = 0;
    for (int64_t epoch = 0; epoch < whole; ++epoch) steps += steps_of(epoch);
    const double rest = epochs - static_cast<double>(whole);
    if (rest > 0.0)
        steps += static_cast<int64_t>(std::ceil(rest * static_cast<double>(steps_of(whole))));
    return steps;
}

Loader::Place Loader::place_of(int64_t step) {
    if (!options_.packing) return {step / steps_of(0), step % steps_of(0)};
    int64_t epoch = 0;
    for (; step >= steps_of(epoch); ++epoch) step -= steps_of(epoch);
    return {epoch, step};
}

std::vector<Loader::Unit> Loader::micro_batch_rows(int64_t step) {
    const Place place = place_of(step);
    const std::vector<Unit>& units = units_of(place.epoch);
    const int64_t per_step = options_.batch_size * options_.accumulation;
    const int64_t begin = place.step * per_step;
    const int64_t end = std::min<int64_t>(begin + per_step, static_cast<int64_t>(units.size()));
    std::vector<Unit> micro_batches;
    for (int64_t u = begin; u < end; ++u) {
        if ((u - begin) % options_.batch_size == 0) micro_batches.emplace_back();
        const Unit& unit = units[static_cast<size_t>(u)];
        micro_batches.back().insert(micro_batches.back().end(), unit.begin(), unit.end());
    }
    return micro_batches;
}

GlobalBatch Loader::batch_at(int64_t step) {
    GlobalBatch global;
    int32_t row_id = 0;
    for (const Unit& rows : micro_batch_rows(step)) {
        Batch batch;
        for (const int64_t row : rows)
            batch.append_row(corpus_.row(row), corpus_.row_weights(row), row_id++);
        global.divisor += batch.weight_sum();
        global.micro_batches.push_back(std::move(batch));
    }
    const Place place = place_of(step);
    global.epoch = static_cast<double>(place.epoch) +
                   static_cast<double>(place.step + 1) / static_cast<double>(steps_of(place.epoch));
    return global;
}

int64_t Loader::largest_micro_batch(int64_t steps) {
    int64_t largest = 0;
    for (int64_t step = 0; step < steps; ++step) {
        for (const Unit& rows : micro_batch_rows(step)) {
            int64_t tokens = 0;
            for (const int64_t row : rows) tokens += static_cast<int64_t>(corpus_.row(row).size());
            largest = std::max(largest, tokens);
        }
    }
    return largest;
}
