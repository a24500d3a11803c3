#include "kernels/core/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "kernels/core/check.h"

namespace {
constexpr int64_t kAlignment = 64;  // a cache line, a vector register

bool live_together(const PlannedTensor& a, const PlannedTensor& b) {
    return a.first_phase <= b.last_phase && b.first_phase <= a.last_phase;
}
}  // namespace

int MemoryPlan::add(std::string name, int64_t bytes, int first_phase, int last_phase) {
    ENSURE(bytes >= 0 && first_phase <= last_phase,
           "memory plan: {} has {} bytes in phases {} to {}", name, bytes, first_phase, last_phase);
    const int64_t aligned = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    tensors_.push_back({std::move(name), aligned, first_phase, last_phase, 0});
    return static_cast<int>(tensors_.size()) - 1;
}

void MemoryPlan::place() {
    std::vector<PlannedTensor*> by_size;
    for (PlannedTensor& tensor : tensors_) by_size.push_back(&tensor);
    std::stable_sort(by_size.begin(), by_size.end(),
                     [](const auto* a, const auto* b) { return a->bytes > b->bytes; });
    std::vector<PlannedTensor*> placed;  // by offset
    peak_bytes_ = 0;
    for (PlannedTensor* tensor : by_size) {
        int64_t offset = 0;
        for (const PlannedTensor* other : placed) {
            if (!live_together(*tensor, *other)) continue;
            if (offset + tensor->bytes <= other->offset) break;  // fits in the gap before it
            offset = std::max(offset, other->offset + other->bytes);
        }
        tensor->offset = offset;
        placed.insert(
            std::upper_bound(placed.begin(), placed.end(), tensor,
                             [](const auto* a, const auto* b) { return a->offset < b->offset; }),
            tensor);
        peak_bytes_ = std::max(peak_bytes_, offset + tensor->bytes);
    }
}
