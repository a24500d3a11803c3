// Where an access is in the source, for messages and counters.
#if defined(FETTLE_CHECK)
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "kernels/simt/check.h"

namespace simt::check {
namespace {

constexpr uint32_t kAtPlace = 0x80000000u;  // pc: an index into places instead
std::vector<simt::Place> places;            // of instructions that are emulated

}  // namespace

uint32_t pc_of(simt::Place place) {
    auto found = std::find(places.rbegin(), places.rend(), place);
    if (found == places.rend()) places.push_back(place), found = places.rbegin();
    return kAtPlace | static_cast<uint32_t>(&*found - places.data());
}

namespace {

std::string find_line(uint32_t pc) {
    if ((pc & kAtPlace) != 0) {
        const std::string text = places[pc & ~kAtPlace].text();
        return text.substr(text.rfind('/') + 1);
    }
    const std::string command =
        fmt::format("addr2line -i -e /proc/{}/exe {:#x}", getpid(), pc - 1);  // the call itself
    std::string best = "an unknown line";
    FILE* lines = popen(command.c_str(), "r");
    if (lines == nullptr) return best;
    char line[1024];
    // Inlined functions come first; the wrappers of instructions say less than who called them.
    for (bool found = false; std::fgets(line, sizeof line, lines) != nullptr;) {
        std::string text(line);
        text = text.substr(0, text.find_first_of(" \n"));
        const bool wrapper = text.find("kernels/simt/") != std::string::npos &&
                             text.find("tests/") == std::string::npos;
        if (found || wrapper || text.find("kernels/core/") != std::string::npos) continue;
        best = text.substr(text.rfind('/') + 1);
        found = true;
    }
    pclose(lines);
    return best;
}

}  // namespace

// Each is looked up once: addr2line reads the whole program.
std::string line_of(uint32_t pc) {
    static std::map<uint32_t, std::string> found;
    const auto [at, is_new] = found.try_emplace(pc);
    if (is_new) at->second = find_line(pc);
    return at->second;
}

}  // namespace simt::check
#endif
