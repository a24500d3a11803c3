#include "kernels/simt/warpgroup_matrix.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/simt.h"

namespace simt {
namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;
constexpr uint32_t kPoison = 0xffffffffu;  // a NaN
constexpr int kRows = 16;                  // of a warp
constexpr int kDepth = 16;                 // k
constexpr int kBoxColumns = 64;            // 128 bytes: the swizzle's width

// What every lane brings.
struct Call {
    WarpgroupCall call;
    ProductCall product = {};
    int groups_left = 0;

    bool operator==(const Call& other) const {
        const ProductCall &a = product, &b = other.product;
        return call == other.call && a.fragments == b.fragments && a.adds == b.adds &&
               (a.left_registers == nullptr) == (b.left_registers == nullptr) &&
               a.is_right_transposed == b.is_right_transposed;
    }
};

int current_warp() { return block->current->warp; }
WarpProducts& own() { return block->products[current_warp()]; }
Thread& lane_of_warp(int lane) { return block->threads[current_warp() * kLanesPerWarp + lane]; }
const Call& call_of(void** arguments, int lane) { return *static_cast<Call*>(arguments[lane]); }

// The lanes' calls must be one, and the same as those of the warpgroup's other warps.
void check_together(void** arguments) {
    const WarpgroupCall& call = call_of(arguments, 0).call;
    for (int lane = 1; lane < kLanesPerWarp; ++lane)
        if (!(call_of(arguments, lane) == call_of(arguments, 0)))
            fail(fmt::format("{} in {} at {} meets lane 0 of its warp in {} at {}{}",
                             name_of(lane_of_warp(lane)), call_of(arguments, lane).call.name,
                             call_of(arguments, lane).call.place.text(), call.name,
                             call.place.text(), ", or with another descriptor"));
    check_warpgroup(call);
}

// ---- operands in shared memory ----

unsigned char* shared_base() { return block->shared_end - block->shared_capacity; }

// Fields of a matrix descriptor, in bytes.
struct Descriptor {
    uint64_t start, leading, stride;
    explicit Descriptor(uint64_t bits)
        : start((bits & 0x3fff) << 4),
          leading((bits >> 16 & 0x3fff) << 4),
          stride((bits >> 32 & 0x3fff) << 4) {}
};

// Bits 4 to 6 of an address are exclusive-ored with bits 7 to 9: PTX ISA, "Swizzling Modes".
uint64_t swizzled(uint64_t address) { return address ^ (address >> 7 & 7) << 4; }

// Row r of an operand whose columns are k begins here, element k is 2 k bytes further, swizzled.
uint64_t row_address(const Descriptor& at, int row) {
    return at.start + static_cast<uint64_t>(row / 8) * at.stride +
           static_cast<uint64_t>(row % 8) * 128;
}
// Column n of row k of an operand whose rows are k.
uint64_t column_address(const Descriptor& at, int k, int n) {
    return at.start + static_cast<uint64_t>(n / kBoxColumns) * at.leading +
           static_cast<uint64_t>(k / 8) * at.stride + static_cast<uint64_t>(k % 8) * 128 +
           static_cast<uint64_t>(n % kBoxColumns) * 2;
}

float bf16_at(uint64_t address) {
    uint16_t bits;
    std::memcpy(&bits, shared_base() + swizzled(address), sizeof bits);
    return std::bit_cast<float>(uint32_t{bits} << 16);
}

// Calls body(address) for the 16-byte chunks that a product of this warp may read: nothing says
// which warp reads which rows of the left operand.
template <typename Body>
void for_chunks(const Product& product, int columns, const Body& body) {
    const Descriptor left(product.left), right(product.right);
    for (int i = 0; product.is_left_shared && i < 2 * kWarpsPerWarpgroup * kRows; ++i)
        body(swizzled(row_address(left, i / 2) + i % 2 * 16));
    if (product.is_right_transposed) {
        for (int k = 0; k < kDepth; ++k)
            for (int n = 0; n < columns; n += 8) body(swizzled(column_address(right, k, n)));
    } else {
        for (int i = 0; i < 2 * columns; ++i)
            body(swizzled(row_address(right, i / 2) + i % 2 * 16));
    }
}

void check_descriptor(uint64_t bits, const char* which, bool is_transposed, Place place) {
    constexpr uint64_t kSwizzle128 = 1;
    if (bits >> 62 != kSwizzle128 || (bits >> 49 & 7) != 0)
        fail(
            fmt::format("descriptor: {} at {}: the {} operand has swizzle mode {} and base offset "
                        "{}, expected 128 bytes (1) and 0",
                        name_of(*block->current), place.text(), which, bits >> 62, bits >> 49 & 7));
    const uint64_t start = Descriptor(bits).start, in_rows = start % 1024;
    if (is_transposed ? in_rows > 0 : in_rows >= 128 || in_rows % (kDepth * 2) > 0)
        fail(
            fmt::format("descriptor: {} at {}: the {} operand begins {} bytes into shared memory, "
                        "expected to begin {} of 8 rows of 128 bytes, of which each 8 begin at a "
                        "multiple of 1,024",
                        name_of(*block->current), place.text(), which, start,
                        is_transposed ? "with the first" : "at a multiple of 32 in the first"));
}

Thread& first_lane() { return block->threads[current_warp() * kLanesPerWarp]; }

// From the instruction to the wait for it nobody may write what the product reads.
void note_reads(const Product& product, int columns) {
    WarpProducts& warp = own();
    if (warp.reader == 0) warp.reader = check::add_engine();
    const check::EngineWork work{.engine = warp.reader,
                                 .clock = static_cast<uint32_t>(product.group) + 1,
                                 .is_shared = true,
                                 .place = product.place};
    Thread* const current = std::exchange(block->current, &first_lane());
    for_chunks(product, columns, [&](uint64_t address) {
        unsigned char* chunk = shared_base() + address;
        check_shared_range(chunk, 16, first_lane(), product.place);
        check::engine_access(work, chunk, 16, check::Kind::read);
    });
    block->current = current;
}

// The lanes know that the products of all groups before `group` have read what they read.
void learn_of_reads(int group) {
    if (own().reader == 0) return;
    Thread* const current = block->current;
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        block->current = &lane_of_warp(lane);
        check::learn(own().reader, static_cast<uint32_t>(group));
    }
    block->current = current;
}

// ---- sums ----

// Where lane l has (row, column) of 8 columns: element e of a fragment.
int row_of(int lane, int e) { return lane / 4 + e / 2 * 8; }
int column_of(int lane, int e) { return 2 * (lane % 4) + e % 2; }

// Where the sums hold element i of a lane.
size_t place_of(int lane, int i, int fragments) {
    const int column = i / 4 * 8 + column_of(lane, i % 4);
    return static_cast<size_t>(row_of(lane, i % 4) * 8 * fragments + column);
}

// The index of these sums among those under way, or -1. Products of one shape may follow each
// other.
int find_sums(const ProductCall& call, Place place) {
    const auto& all = own().sums;
    const int count = 4 * call.fragments;
    for (size_t i = 0; i < all.size(); ++i) {
        const SumsOfLane& sums = all[i].registers[0];
        if (!sums.meets(4 * all[i].fragments, call.sums, count)) continue;
        if (all[i].fragments == call.fragments && sums.is(call.sums, count))
            return static_cast<int>(i);
        fail(
            fmt::format("sums in flight: {} at {} multiplies into sums of {} fragments that are "
                        "part of {} in the product at {}, with no wait for it",
                        name_of(lane_of_warp(0)), place.text(), call.fragments, all[i].fragments,
                        all[i].place.text()));
    }
    return -1;
}

int take_off(void** arguments) {
    WarpProducts& warp = own();
    const ProductCall& call = call_of(arguments, 0).product;
    const Place place = call_of(arguments, 0).call.place;
    if (const int found = find_sums(call, place); found >= 0) return found;
    const int count = 4 * call.fragments;  // of a lane
    FlyingSums sums{.fragments = call.fragments, .place = place};
    sums.values.resize(static_cast<size_t>(kLanesPerWarp * count));
    for (int lane = 0; lane < kLanesPerWarp; ++lane)
        sums.registers[lane] = call_of(arguments, lane).product.sums;
    check_sums(sums, call.adds, place);
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        const SumsOfLane& registers = sums.registers[lane];
        for (int i = 0; i < count; ++i)
            sums.values[place_of(lane, i, call.fragments)] = registers.get(i);
        for (int i = 0; i < count; ++i) registers.set(i, std::bit_cast<float>(kPoison));
    }
    warp.sums.push_back(std::move(sums));
    return static_cast<int>(warp.sums.size()) - 1;
}

void land(const FlyingSums& sums, Place place) {
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        const SumsOfLane& registers = sums.registers[lane];
        for (int i = 0; i < 4 * sums.fragments; ++i) {
            if (std::bit_cast<uint32_t>(registers.get(i)) != kPoison)
                fail(
                    fmt::format("sums in flight: {} wrote to the sums of a product before it "
                                "waited for it at {}",
                                name_of(lane_of_warp(lane)), place.text()));
            registers.set(i, sums.values[place_of(lane, i, sums.fragments)]);
        }
    }
}

// ---- products ----

struct Operands {
    alignas(64) float left[kRows][kDepth];
    alignas(64) float right[kDepth][128];

    Operands(const Product& product, int columns) {
        const Descriptor of_left(product.left), of_right(product.right);
        const int first_row = current_warp() % kWarpsPerWarpgroup * kRows;
        for (int m = 0; m < kRows; ++m)
            for (int k = 0; k < kDepth; ++k)
                left[m][k] = product.is_left_shared ? bf16_at(row_address(of_left, first_row + m) +
                                                              2 * static_cast<uint64_t>(k))
                                                    : product.left_registers[m][k];
        for (int k = 0; k < kDepth; ++k)
            for (int n = 0; n < columns; ++n)
                right[k][n] =
                    bf16_at(product.is_right_transposed
                                ? column_address(of_right, k, n)
                                : row_address(of_right, n) + 2 * static_cast<uint64_t>(k));
    }
};

// The oldest product of the current thread's warp.
void compute_oldest() {
    WarpProducts& warp = own();
    const Product product = warp.products.front();
    warp.products.erase(warp.products.begin());
    FlyingSums& sums = warp.sums[static_cast<size_t>(product.sums)];
    const int columns = 8 * sums.fragments;
    const Operands operands(product, columns);
    for (int m = 0; m < kRows; ++m) {
        float* row = &sums.values[static_cast<size_t>(m * columns)];
        if (!product.adds) std::memset(row, 0, sizeof(float) * static_cast<size_t>(columns));
        for (int k = 0; k < kDepth; ++k)
            for (int n = 0; n < columns; ++n) row[n] += operands.left[m][k] * operands.right[k][n];
    }
    --sums.products;
    --block->num_products;
}

void take_left_registers(Product& product, void** arguments) {
    FlyingOperand operand{.group = product.group, .place = product.place};
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        operand.registers[lane] = call_of(arguments, lane).product.left_registers;
        for (int quarter = 0; quarter < 4; ++quarter) {
            const uint32_t pair = operand.registers[lane][quarter];
            float* at = product.left_registers[lane / 4 + quarter % 2 * 8] + 2 * (lane % 4) +
                        quarter / 2 * 8;
            at[0] = std::bit_cast<float>(pair << 16);
            at[1] = std::bit_cast<float>(pair & 0xffff0000u);
        }
    }
    if (call_of(arguments, 0).product.sums.variable() == nullptr) return;  // interpreted
    check_left_operand(operand.registers, product.place);
    hold_left_operand(operand);
}

void run_multiply(uint32_t, void** arguments) {
    check_together(arguments);
    WarpProducts& warp = own();
    const Call& call = call_of(arguments, 0);
    if (!warp.has_arrived)
        fail(
            fmt::format("no arrive: {} at {} multiplies with no warpgroup_arrive before it, or "
                        "none since the last wait",
                        name_of(lane_of_warp(0)), call.call.place.text()));
    Product product{.left = call.call.left,
                    .right = call.call.right,
                    .is_left_shared = call.product.left_registers == nullptr,
                    .is_right_transposed = call.product.is_right_transposed,
                    .adds = call.product.adds,
                    .group = warp.groups,
                    .place = call.call.place};
    if (!product.is_left_shared) take_left_registers(product, arguments);
    if (product.is_left_shared) check_descriptor(product.left, "left", false, product.place);
    check_descriptor(product.right, "right", product.is_right_transposed, product.place);
    note_reads(product, 8 * call.product.fragments);
    product.sums = take_off(arguments);
    FlyingSums& sums = warp.sums[static_cast<size_t>(product.sums)];
    ++sums.products;
    ++block->num_products;
    sums.group = product.group;
    warp.products.push_back(product);
}

void run_arrive(uint32_t, void** arguments) {
    check_together(arguments);
    own().has_arrived = true;
    forget_touched_registers();
}

void run_commit(uint32_t, void** arguments) {
    check_together(arguments);
    ++own().groups;
}

void run_wait(uint32_t, void** arguments) {
    check_together(arguments);
    const Call& call = call_of(arguments, 0);
    WarpProducts& warp = own();
    while (!warp.products.empty() && warp.products.front().group + call.groups_left < warp.groups)
        compute_oldest();
    bool none_left = true;
    for (FlyingSums& sums : warp.sums) {
        const bool is_over = sums.products == 0 && sums.group + call.groups_left < warp.groups;
        if (is_over && sums.fragments > 0) {
            land(sums, call.call.place);
            sums = {};  // others keep their index
        }
        none_left = none_left && is_over;
    }
    if (none_left) warp.sums.clear();
    warp.has_arrived = false;
    release_left_operands(warp.groups - call.groups_left);
    learn_of_reads(std::max(warp.groups - call.groups_left, 0));
}

void call_together(WarpOperation operation, Call call) {
    const check::Inside emulator;
    meet(kAllLanes, operation, &call, call.call.place);
}

}  // namespace

void check_warpgroup(const WarpgroupCall& call) {
    const int warpgroup = current_warp() / kWarpsPerWarpgroup;
    if ((warpgroup + 1) * kWarpsPerWarpgroup * kLanesPerWarp > block->num_threads)
        fail(fmt::format("{} is in {} at {}, but its warpgroup has not four whole warps",
                         name_of(*block->current), call.name, call.place.text()));
    auto& calls = block->warpgroup_calls[warpgroup];
    uint64_t& mine = own().calls;
    if (mine == calls.size()) calls.push_back(call);
    if (!(calls[mine] == call))
        fail(
            fmt::format("unequal warpgroup: {} is in {} at {}, another warp of its warpgroup in "
                        "{} at {}{}",
                        name_of(*block->current), call.name, call.place.text(), calls[mine].name,
                        calls[mine].place.text(),
                        calls[mine].place == call.place ? " with another operand" : ""));
    ++mine;
}

uint64_t address_in_shared(const void* pointer, Place place) {
    const check::Inside emulator;
    const auto* address = static_cast<const unsigned char*>(pointer);
    if (address < shared_base() || address >= block->shared_end)
        fail(fmt::format("{} at {} describes a matrix at {}, which is not in dynamic shared memory",
                         name_of(*block->current), place.text(), pointer));
    const auto offset = static_cast<uint64_t>(address - shared_base());
    if (offset % 16 != 0)
        fail(
            fmt::format("misaligned: {} at {} describes a matrix that begins {} bytes behind a "
                        "multiple of 16",
                        name_of(*block->current), place.text(), offset % 16));
    return offset;
}

void fence_async_proxy() {
    const check::Inside emulator;
    check::fence_async_proxy();
}

void warpgroup_arrive(Place place) {
    call_together(run_arrive, {.call = {"warpgroup_arrive", place, 0, 0}});
}
void warpgroup_commit(Place place) {
    call_together(run_commit, {.call = {"warpgroup_commit", place, 0, 0}});
}
void warpgroup_wait(int groups_left, Place place) {
    call_together(run_wait, {.call = {"warpgroup_wait", place, 0, 0}, .groups_left = groups_left});
}

void warpgroup_multiply(const ProductCall& product, Place place) {
    const char* name =
        product.is_right_transposed ? "warpgroup_multiply_transposed" : "warpgroup_multiply";
    call_together(run_multiply,
                  {.call = {name, place, product.left, product.right}, .product = product});
}

void warpgroup_multiply(float* sums, int fragments, uint64_t left, uint64_t right, bool adds,
                        Place place) {
    warpgroup_multiply(
        {.sums = {sums}, .fragments = fragments, .left = left, .right = right, .adds = adds},
        place);
}

void warpgroup_multiply_transposed(float* sums, int fragments, const uint32_t* left, uint64_t right,
                                   bool adds, Place place) {
    warpgroup_multiply({.sums = {sums},
                        .fragments = fragments,
                        .left_registers = left,
                        .right = right,
                        .is_right_transposed = true,
                        .adds = adds},
                       place);
}

void forget_products() {
    for (int warp = 0; warp < block->num_warps; ++warp) block->products[warp] = {};
    for (auto& calls : block->warpgroup_calls) calls.clear();
    block->num_products = 0;
}

void compute_a_product(uint32_t random) {
    for (int i = 0; i < block->num_warps; ++i) {
        const int warp = static_cast<int>((random + static_cast<uint32_t>(i)) %
                                          static_cast<uint32_t>(block->num_warps));
        if (block->products[warp].products.empty()) continue;
        Thread* const current = block->current;
        block->current = &block->threads[warp * kLanesPerWarp];
        compute_oldest();
        block->current = current;
        return;
    }
}

void check_no_products_left() {
    for (int warp = 0; warp < block->num_warps; ++warp) {
        const WarpProducts& products = block->products[warp];
        if (!products.sums.empty())
            fail(
                fmt::format("warp {} of block ({},{},{}) returns without a wait for the product "
                            "at {}",
                            warp, on_simt::blockIdx.x, on_simt::blockIdx.y, on_simt::blockIdx.z,
                            products.sums.back().place.text()));
        const auto& calls = block->warpgroup_calls[warp / kWarpsPerWarpgroup];
        if (products.calls != calls.size())
            fail(
                fmt::format("unequal warpgroup: warp {} of block ({},{},{}) returns without the "
                            "{} at {} of its warpgroup",
                            warp, on_simt::blockIdx.x, on_simt::blockIdx.y, on_simt::blockIdx.z,
                            calls[products.calls].name, calls[products.calls].place.text()));
    }
}

}  // namespace simt
