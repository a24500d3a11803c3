#if defined(FETTLE_CHECK)
#include "kernels/simt/profile.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt::profile {
namespace {

constexpr uintptr_t kSectorBytes = 32, kWordBytes = 4, kBanks = 32;

// What a line does, as a key: counts of different kinds or sizes stay apart.
struct Access {
    uint32_t pc;
    bool is_write, is_shared, is_matrix;
    uint32_t bytes;
    auto operator<=>(const Access&) const = default;
};
using Request = std::array<uintptr_t, kLanesPerWarp>;  // a lane's address; 0: it took no part
struct Totals {
    int64_t requests = 0, lanes = 0, cost = 0, least = 0;
};

bool on = false;
std::map<std::tuple<int, Access, uint32_t>, Request>
    requests;                                      // warp of the cluster, access, which time
std::map<std::pair<int, Access>, uint32_t> times;  // of each thread
std::map<Access, Totals> totals;

// The distinct pieces of `unit` bytes that [address, address + bytes) of some lanes touch.
std::set<uintptr_t> pieces(const uintptr_t* begin, const uintptr_t* end, uintptr_t bytes,
                           uintptr_t unit) {
    std::set<uintptr_t> out;
    for (const uintptr_t* address = begin; address != end; ++address)
        for (uintptr_t piece = *address / unit;
             *address != 0 && piece <= (*address + bytes - 1) / unit; ++piece)
            out.insert(piece);
    return out;
}

int64_t turns(const std::set<uintptr_t>& words) {
    int64_t of_bank[kBanks] = {};
    int64_t most = 0;
    for (const uintptr_t word : words) most = std::max(most, ++of_bank[word % kBanks]);
    return most;
}

// Lanes that are served at once: all, half, or a quarter of a warp.
int64_t wavefronts(const Request& request, uintptr_t bytes) {
    const size_t group = bytes <= kWordBytes ? 32 : bytes == 8 ? 16 : 8;
    int64_t sum = 0;
    for (const uintptr_t* lane = request.begin(); lane != request.end(); lane += group)
        sum += turns(pieces(lane, lane + group, bytes, kWordBytes));
    return sum;
}

int64_t ceil_div(size_t a, size_t b) { return static_cast<int64_t>((a + b - 1) / b); }

void count(const Access& access, const Request& request) {
    Totals& total = totals[access];
    const uintptr_t *begin = request.begin(), *end = request.end();
    ++total.requests;
    total.lanes += std::count_if(begin, end, [](uintptr_t address) { return address != 0; });
    const size_t words = pieces(begin, end, access.bytes, kWordBytes).size();
    if (access.is_shared) {
        total.cost += wavefronts(request, access.bytes);
        total.least += ceil_div(words, kBanks);
    } else {
        total.cost += static_cast<int64_t>(pieces(begin, end, access.bytes, kSectorBytes).size());
        total.least += ceil_div(words * kWordBytes, kSectorBytes);
    }
}

std::string name_of(const Access& access) {
    const char* where = access.is_matrix ? "matrix" : access.is_shared ? "shared" : "global";
    return std::string(where) + (access.is_write ? " store" : " load");
}

}  // namespace

void start() {
    requests.clear();
    times.clear();
    totals.clear();
    on = true;
}

std::vector<Line> stop() {
    on = false;
    std::vector<Line> lines;
    for (const auto& [access, total] : totals)
        lines.push_back({.place = check::line_of(access.pc),
                         .what = name_of(access),
                         .bytes = static_cast<int>(access.bytes),
                         .requests = total.requests,
                         .lanes = total.lanes,
                         .cost = total.cost,
                         .least = total.least});
    std::sort(lines.begin(), lines.end(),
              [](const Line& a, const Line& b) { return a.cost > b.cost; });
    return lines;
}

void note(const void* address, size_t bytes, bool is_write, bool is_shared, uint32_t pc) {
    if (!on) return;
    const auto thread =
        block->rank * kMaxThreads + static_cast<int>(block->current - block->threads);
    const Access access{pc, is_write, is_shared, false, static_cast<uint32_t>(bytes)};
    const uint32_t time = times[{thread, access}]++;
    requests[{thread / kLanesPerWarp, access, time}][thread % kLanesPerWarp] =
        reinterpret_cast<uintptr_t>(address);
}

void note_matrix(const void* const (&rows)[8], bool is_write, uint32_t pc) {
    if (!on) return;
    Request request{};
    std::transform(std::begin(rows), std::end(rows), request.begin(),
                   [](const void* row) { return reinterpret_cast<uintptr_t>(row); });
    count({pc, is_write, true, true, 16}, request);
}

bool is_on() { return on; }

void end_cluster() {
    for (const auto& [key, request] : requests) count(std::get<1>(key), request);
    requests.clear();
    times.clear();
}

}  // namespace simt::profile
#endif
