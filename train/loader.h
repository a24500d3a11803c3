// Which rows make up which step: a pure function of the data, the options and the step, so that
// resuming needs nothing but the step's number.
#pragma once

#include <cstdint>
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
    using Unit = std::vector<int64_t>;  // rows that share a pack; without packing, one row

    const std::vector<Unit>& units_of(
        int64_t epoch);  // in loader order; the last one asked is kept
    std::vector<Unit> packed(const std::vector<int64_t>& order) const;
    int64_t steps_of(int64_t epoch);
    std::vector<Unit> micro_batch_rows(int64_t step);  // the rows of each micro-batch of a step
    struct Place {
        int64_t epoch;
        int64_t step;  // within the epoch
    };
    Place place_of(int64_t step);

    const Corpus& corpus_;
    const LoaderOptions options_;
    int64_t cached_epoch_ = -1;
    std::vector<Unit> cached_units_;
    std::vector<int64_t> epoch_steps_;  // of the epochs that were looked at, from the first
};
