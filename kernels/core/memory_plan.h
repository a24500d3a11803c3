// Peak memory, planned before anything is allocated.
//
// Every tensor of a step is added with the phases in which it lives; tensors whose phases do not
// meet share memory. The plan has no memory itself: an Arena holds its peak_bytes in one block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/core/buffer.h"

struct PlannedTensor {
    std::string name;
    int64_t bytes = 0;
    int first_phase = 0;
    int last_phase = 0;  // inclusive
    int64_t offset = 0;  // into the arena; known after MemoryPlan::place
};

class MemoryPlan {
public:
    // Returns the tensor's index. Phases are small numbers in the order in which a step runs.
    int add(std::string name, int64_t bytes, int first_phase, int last_phase);
    // Gives every tensor its offset: the largest first, each as low as the placed ones allow.
    void place();
    int64_t peak_bytes() const { return peak_bytes_; }
    const std::vector<PlannedTensor>& tensors() const { return tensors_; }

private:
    std::vector<PlannedTensor> tensors_;
    int64_t peak_bytes_ = 0;
};

// The memory of a placed plan.
class Arena {
public:
    Arena(const MemoryPlan& plan, Device device, const char* what)
        : plan_(&plan), memory_(device, plan.peak_bytes(), what) {}

    template <typename T>
    T* tensor(int index) const {
        const PlannedTensor& planned = plan_->tensors()[static_cast<size_t>(index)];
        return reinterpret_cast<T*>(memory_.data() + planned.offset);
    }

private:
    const MemoryPlan* plan_;
    Buffer<unsigned char> memory_;
};
