// Warpgroup products of sm_90: sums [64, N] += left [64, 16] right [16, N] of bf16. PTX ISA,
// "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions".
//
// A warp computes its 16 rows by itself, at some moment between the instruction and the wait for
// its group: with threads in order as late as can be, with a schedule seed at any moment, group by
// group. Only then it reads shared memory. Until the wait sums hold NaNs; what a thread writes to
// them meanwhile is noticed at the wait. The four warps of a warpgroup must make the same calls at
// the same lines with the same descriptors in the same order.
//
// Stricter than hardware: after every wait a warpgroup_arrive must come before the next product,
// whether registers were touched or not; and as warps are on their own, an arrival at an mbarrier
// after the wait speaks for its own warp, which may have read all of both operands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/simt/place.h"
#include "kernels/simt/product_registers.h"

namespace simt {

constexpr int kWarpsPerWarpgroup = 4;

// Where a lane has the sums of a product: floats one after the other, or the low halves of words of
// 8 bytes, which are the registers of an interpreted kernel.
struct SumsOfLane {
    void* first = nullptr;
    const uint16_t* words = nullptr;  // the word of each sum; null: one after the other

    float get(int i) const {
        float value;
        std::memcpy(&value, at(i), sizeof value);
        return value;
    }
    void set(int i, float value) const { std::memcpy(at(i), &value, sizeof value); }
    bool is(const SumsOfLane& other, int count) const {
        return first == other.first && (words == nullptr) == (other.words == nullptr) &&
               (words == nullptr || std::equal(words, words + count, other.words));
    }
    // Whether one of these is one of those.
    bool meets(int count, const SumsOfLane& other, int other_count) const {
        if ((words == nullptr) != (other.words == nullptr)) return false;
        if (words != nullptr)
            return first == other.first &&
                   std::find_first_of(words, words + count, other.words,
                                      other.words + other_count) != words + count;
        return variable() < other.variable() + other_count && other.variable() < variable() + count;
    }
    // Null: they are registers of an interpreted kernel.
    const float* variable() const {
        return words == nullptr ? static_cast<const float*>(first) : nullptr;
    }

private:
    unsigned char* at(int i) const {
        return static_cast<unsigned char*>(first) + (words == nullptr
                                                         ? sizeof(float) * static_cast<size_t>(i)
                                                         : sizeof(uint64_t) * size_t{words[i]});
    }
};
// A product that a lane asks for: sums [64, 8 fragments] = left right, plus the sums if it `adds`.
struct ProductCall {
    SumsOfLane sums;
    int fragments = 0;                         // 8 columns each: 8 or 16
    uint64_t left = 0;                         // descriptor; or
    const uint32_t* left_registers = nullptr;  // [4]
    uint64_t right = 0;
    bool is_right_transposed = false;  // rows in shared memory are k
    bool adds = false;
};

// A warp's sums while products are under way.
struct FlyingSums {
    SumsOfLane registers[32] = {};   // of each lane: [fragments][4]
    int fragments = 0;               // 8 columns each
    std::vector<float> values = {};  // [16, 8 fragments]
    int products = 0;                // not yet computed
    int group = 0;                   // of the last
    Place place;                     // of the first
};
struct Product {
    int sums = 0;                       // index of FlyingSums
    float left_registers[16][16] = {};  // unless is_left_shared
    uint64_t left = 0, right = 0;       // descriptors
    bool is_left_shared = false;
    bool is_right_transposed = false;
    bool adds = false;
    int group = 0;
    Place place;
};
// What a warp of a warpgroup has under way.
struct WarpProducts {
    bool has_arrived = false;  // since the last wait
    int groups = 0;            // committed
    uint64_t calls = 0;        // of all instructions here
    int reader = 0;            // its engine in the check build (check.h)
    std::vector<FlyingSums> sums;
    std::vector<Product> products;  // oldest first
    ProductRegisters registers;     // in the check build
};
// A call that the first of the four warps made; the others must make the same.
struct WarpgroupCall {
    const char* name;
    Place place;
    uint64_t left, right;
    bool operator==(const WarpgroupCall& other) const {
        return name == other.name && place == other.place && left == other.left &&
               right == other.right;
    }
};

// Notes the call of the current warp. It must be the same as those of the warpgroup's other warps.
void check_warpgroup(const WarpgroupCall& call);
// The address that descriptors take.
uint64_t address_in_shared(const void* pointer, Place place);
// fence.proxy.async.
void fence_async_proxy();
void warpgroup_arrive(Place place);
void warpgroup_commit(Place place);
void warpgroup_wait(int groups_left, Place place);
void warpgroup_multiply(const ProductCall& call, Place place);
void warpgroup_multiply(float* sums, int fragments, uint64_t left, uint64_t right, bool adds,
                        Place place);
void warpgroup_multiply_transposed(float* sums, int fragments, const uint32_t* left, uint64_t right,
                                   bool adds, Place place);

// For the scheduler: before a block; computes what some warp has had under way for longest; all
// threads have returned.
void forget_products();
void compute_a_product(uint32_t random);
void check_no_products_left();

}  // namespace simt
