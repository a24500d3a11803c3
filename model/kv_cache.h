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
    KvCache(const ModelConfig& config, int rows, int64_t capacity, Device device = Device::cpu)
        : device_(device),
          keys_(config.keys()),
          layers_(config.num_layers),
          rows_(rows),
          capacity_(capacity),
          counts_(static_cast<size_t>(rows), 0),
          memory_(memory_for(capacity)) {}

    T* key(int layer) { return memory_.data() + int64_t{2} * layer * layer_elements(); }
    T* value(int layer) { return key(layer) + layer_elements(); }
    int rows() const { return rows_; }
    int64_t capacity() const { return capacity_; }  // tokens a row
    int width() const { return keys_; }             // Hkv D
    std::vector<int32_t>& counts() { return counts_; }

    // Makes room for `capacity` tokens a row; what is in the cache stays.
    void reserve(int64_t capacity) {
        if (capacity <= capacity_) return;
        KvCache larger(*this, capacity);
        for (int layer = 0; layer < layers_; ++layer) {
            for (int r = 0; r < rows_; ++r) {
                const int64_t bytes =
                    counts_[static_cast<size_t>(r)] * keys_ * static_cast<int64_t>(sizeof(T));
                const int64_t from = r * capacity_ * keys_, to = r * capacity * keys_;
                copy_on_device(device_, larger.key(layer) + to, key(layer) + from, bytes);
                copy_on_device(device_, larger.value(layer) + to, value(layer) + from, bytes);
            }
        }
        std::swap(memory_, larger.memory_);
        capacity_ = capacity;
    }

private:
    // Of another's shape and counts, empty.
    KvCache(const KvCache& other, int64_t capacity)
        : device_(other.device_),
          keys_(other.keys_),
          layers_(other.layers_),
          rows_(other.rows_),
          capacity_(capacity),
          counts_(other.counts_),
          memory_(memory_for(capacity)) {}

    Buffer<T> memory_for(int64_t capacity) const {
        return Buffer<T>(device_, int64_t{2} * layers_ * rows_ * capacity * keys_, "KV cache");
    }
    int64_t layer_elements() const { return int64_t{rows_} * capacity_ * keys_; }

    Device device_;
    int keys_;
    int layers_;
    int rows_;
    int64_t capacity_;
    std::vector<int32_t> counts_;  // [R]  tokens in the cache
    Buffer<T> memory_;
};
