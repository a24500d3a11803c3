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

int64_t Loader::Order::num_units() const {
    return static_cast<int64_t>(unit_begins.empty() ? rows.size() : unit_begins.size() - 1);
}

std::span<const int64_t> Loader::Order::rows_of(int64_t first_unit, int64_t end_unit) const {
    const auto row_of = [&](int64_t unit) {
        return unit_begins.empty() ? unit : unit_begins[static_cast<size_t>(unit)];
    };
    return std::span(rows).subspan(static_cast<size_t>(row_of(first_unit)),
                                   static_cast<size_t>(row_of(end_unit) - row_of(first_unit)));
}

const Loader::Order& Loader::order_of(int64_t epoch) {
    if (cached_epoch_ == epoch) return cached_order_;
    cached_order_ = {};  // its memory too, before there is another
    if (options_.shuffle) {
        cached_order_.rows = permutation(corpus_.num_rows(), options_.seed, epoch);
    } else {
        cached_order_.rows.resize(static_cast<size_t>(corpus_.num_rows()));
        std::iota(cached_order_.rows.begin(), cached_order_.rows.end(), int64_t{0});
    }
    if (options_.packing) cached_order_ = packed(cached_order_.rows);
    cached_epoch_ = epoch;
    return cached_order_;
}

// First fit: a row joins the first pack of its window that has room for it.
Loader::Order Loader::packed(const std::vector<int64_t>& rows) const {
    Order order;
    order.rows.reserve(rows.size());
    order.unit_begins = {0};
    for (size_t first = 0; first < rows.size(); first += kPackingWindow) {
        std::vector<std::vector<int64_t>> packs;
        std::vector<int64_t> room;
        for (size_t i = first; i < std::min(rows.size(), first + kPackingWindow); ++i) {
            const int64_t length = corpus_.row_length(rows[i]);
            size_t pack = 0;
            while (pack < packs.size() && room[pack] < length) ++pack;
            if (pack == packs.size()) {
                packs.emplace_back();
                room.push_back(options_.max_length);
            }
            packs[pack].push_back(rows[i]);
            room[pack] -= length;
        }
        for (const std::vector<int64_t>& pack : packs) {
            order.rows.insert(order.rows.end(), pack.begin(), pack.end());
            order.unit_begins.push_back(static_cast<int64_t>(order.rows.size()));
        }
    }
    return order;
}

int64_t Loader::steps_of(int64_t epoch) {
    if (!options_.packing) epoch = 0;  // only packing makes epochs of different lengths
    const int64_t per_step = options_.batch_size * options_.accumulation;
    while (static_cast<int64_t>(epoch_steps_.size()) <= epoch) {
        const int64_t units = order_of(static_cast<int64_t>(epoch_steps_.size())).num_units();
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

GlobalBatch Loader::batch_at(int64_t step) {
    const Place place = place_of(step);
    const Order& order = order_of(place.epoch);
    const int64_t per_step = options_.batch_size * options_.accumulation;
    const int64_t end = std::min((place.step + 1) * per_step, order.num_units());
    GlobalBatch global;
    int32_t row_id = 0;
    for (int64_t unit = place.step * per_step; unit < end; unit += options_.batch_size) {
        Batch batch;
        for (const int64_t row : order.rows_of(unit, std::min(unit + options_.batch_size, end)))
            batch.append_row(corpus_.row(row), corpus_.row_weights(row), row_id++);
        global.divisor += batch.weight_sum();
        global.micro_batches.push_back(std::move(batch));
    }
    corpus_.forget_read();
    global.epoch = static_cast<double>(place.epoch) +
                   static_cast<double>(place.step + 1) / static_cast<double>(steps_of(place.epoch));
    return global;
}

int64_t Loader::largest_of(const Order& order, int64_t units) const {
    int64_t largest = 0;
    for (int64_t unit = 0; unit < units; unit += options_.batch_size) {
        int64_t tokens = 0;
        for (const int64_t row : order.rows_of(unit, std::min(unit + options_.batch_size, units)))
            tokens += corpus_.row_length(row);
        largest = std::max(largest, tokens);
    }
    return largest;
}

int64_t Loader::largest_micro_batch(int64_t steps) {
    const int64_t longest_unit = options_.packing
                                     ? std::max(options_.max_length, corpus_.longest_row())
                                     : corpus_.longest_row();
    const int64_t per_step = options_.batch_size * options_.accumulation;
    int64_t largest = 0;
    for (int64_t epoch = 0, done = 0; done < steps; ++epoch) {
        const int64_t steps_here = std::min(steps_of(epoch), steps - done);
        const Order& order = order_of(epoch);
        largest = std::max(largest,
                           largest_of(order, std::min(steps_here * per_step, order.num_units())));
        done += steps_here;
        // It cannot grow any more: where all epochs are alike, or where rows have one length.
        if (!options_.shuffle) break;
        if (largest >= longest_unit * std::min(options_.batch_size, order.num_units())) break;
    }
    corpus_.forget_read();
    return largest;
}
