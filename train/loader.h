// Which rows make up which step: a pure function of the data, the options and the step, so that
// resuming needs nothing but the step's number.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/batch.h"
#include "model/text/corpus.h"

struct LoaderOptions {
    int64_t batch_size = 8;    // rows, or packs, of a micro-batch
    int64_t accumulation = 1;  // micro-batches of a step
    bool shuffle = true;       // a new permutation of the rows each epoch
    bool packing = false;      // rows share packs of up to max_length tokens
    int64_t max_length = 1024;
    uint64_t seed = 42;
};

// All micro-batches of one optimiser step. `divisor` is the sum of their loss weights.
struct GlobalBatch {
    std::vector<Batch> micro_batches;
    double divisor = 0.0;
    double epoch = 0.0;  // how many epochs are done after this step
};

// A permutation of 0 .. count - 1 that depends on seed and epoch only (Fisher-Yates).
std::vector<int64_t> permutation(int64_t count, uint64_t seed, int64_t epoch);

class Loader {
public:
    // Borrows the corpus.
    Loader(const Corpus& corpus, const LoaderOptions& options);

    // Steps of `epochs` epochs; a fraction of an epoch rounds up to whole steps.
    int64_t steps_in(double epochs);
    GlobalBatch batch_at(int64_t step);
    // Tokens of the largest micro-batch of the first `steps` steps.
    int64_t largest_micro_batch(int64_t steps);

private:
    // An epoch's rows in the order in which they are dealt out, and what of them is a unit: rows
    // that share a pack; without packing, one row.
    struct Order {
        std::vector<int64_t> rows;
        std::vector<int64_t> unit_begins;  // [U + 1]; empty without packing

        int64_t num_units() const;
        std::span<const int64_t> rows_of(int64_t first_unit, int64_t end_unit) const;
    };

    const Order& order_of(int64_t epoch);  // the last one asked is kept
    Order packed(const std::vector<int64_t>& rows) const;
    int64_t steps_of(int64_t epoch);
    // The tokens of the largest of the first micro-batches of the order, which hold `units`.
    int64_t largest_of(const Order& order, int64_t units) const;
    struct Place {
        int64_t epoch;
        int64_t step;  // within the epoch
    };
    Place place_of(int64_t step);

    const Corpus& corpus_;
    const LoaderOptions options_;
    int64_t cached_epoch_ = -1;
    Order cached_order_;
    std::vector<int64_t> epoch_steps_;  // of the epochs that were looked at, from the first
};
