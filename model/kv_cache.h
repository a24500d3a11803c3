// Keys and values of the tokens that a model has seen, for generation one token at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/buffer.h"
#include "model/config.h"

// Row r's keys of a layer are [counts[r], Hkv D] at row r * capacity of that layer's block.
template <typename T>
class KvCache {
public:
    KvCache(const ModelConfig& config, int rows, int64_t capacity)
        : keys_(config.keys()),
          rows_(rows),
          capacity_(capacity),
          counts_(static_cast<size_t>(rows), 0),
          memory_(Device::cpu, int64_t{2} * config.num_layers * rows * capacity * keys_,
                  "KV cache") {}

    T* key(int layer) { return memory_.data() + int64_t{2} * layer * layer_elements(); }
    T* value(int layer) { return key(layer) + layer_elements(); }
    int rows() const { return rows_; }
    int64_t capacity() const { return capacity_; }  // tokens a row
    int width() const { return keys_; }             // Hkv D
    std::vector<int32_t>& counts() { return counts_; }

private:
    int64_t layer_elements() const { return int64_t{rows_} * capacity_ * keys_; }

    int keys_;
    int rows_;
    int64_t capacity_;
    std::vector<int32_t> counts_;  // [R]  tokens in the cache
    Buffer<T> memory_;
};
