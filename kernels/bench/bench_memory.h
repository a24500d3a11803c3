// The buffers of a case of bin/bench.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/core/buffer.h"
#include "kernels/core/philox.h"

class BenchMemory {
public:
    explicit BenchMemory(Device device) : device_(device) {}
    Device device() const { return device_; }

    template <typename T>
    T* holding(const std::vector<T>& values) {
        return keep(Buffer<T>(device_, values));
    }
    template <typename T>
    T* zeros(int64_t count) {
        return keep(Buffer<T>(device_, count));
    }
    // What an operation leaves there depends on the number of threads, and means nothing.
    template <typename T>
    T* scratch(int64_t count) {
        T* data = zeros<T>(count);
        buffers_.back().is_scratch = true;
        return data;
    }
    // Uniform between -1 and 1.
    template <typename T>
    T* random(int64_t count) {
        std::vector<T> values(static_cast<size_t>(count));
        for (size_t i = 0; i < values.size(); i += 4) {
            const auto words = philox({1, 2}, {static_cast<uint32_t>(i), 0, 0, 0});
            for (size_t j = i; j < std::min(i + 4, values.size()); ++j)
                values[j] = static_cast<T>(2.0f * uniform(words[j - i]) - 1.0f);
        }
        return holding(values);
    }
    // 0, 1, ..., period - 1, 0, 1, ...
    int32_t* counting(int64_t count, int64_t period) {
        std::vector<int32_t> values(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i)
            values[static_cast<size_t>(i)] = static_cast<int32_t>(i % period);
        return holding(values);
    }

    // Of everything but scratch.
    std::vector<char> contents() const {
        std::vector<char> all;
        for (const Kept& kept : buffers_) {
            if (kept.is_scratch) continue;
            const size_t first = all.size();
            all.resize(first + static_cast<size_t>(kept.bytes));
            copy_to_host(device_, all.data() + first, kept.data, kept.bytes);
        }
        return all;
    }
    // What contents() was before, without what allocating anew takes.
    void set_contents(const std::vector<char>& all) {
        size_t first = 0;
        for (const Kept& kept : buffers_) {
            if (kept.is_scratch) continue;
            copy_to_device(device_, kept.data, all.data() + first, kept.bytes);
            first += static_cast<size_t>(kept.bytes);
        }
    }

private:
    struct Kept {
        std::shared_ptr<void> owner;
        void* data;
        int64_t bytes;
        bool is_scratch = false;
    };

    template <typename T>
    T* keep(Buffer<T> made) {
        T* data = made.data();
        const int64_t bytes = made.bytes();
        buffers_.push_back({std::make_shared<Buffer<T>>(std::move(made)), data, bytes});
        return data;
    }

    Device device_;
    std::vector<Kept> buffers_;
};
