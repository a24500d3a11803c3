// Each instruction alone, on the tested device (the emulator, if that is the cpu), against its words
// in tests/golden/probes, and these against the tables of the PTX ISA.
//
// With FETTLE_PROBES=FOLDER the words that were found go to files there, and a line a probe says
// how it ended. So the files of tests/golden/probes are made, from the emulator or from a GPU:
//
//   FETTLE_PROBES=tests/golden/probes build/release/test_kernels --device simt -tc='probe*'

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "tests/kernels/probes/probe.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

const std::filesystem::path kFolder = "tests/golden/probes";

std::vector<Probe> all_probes() {
    std::vector<Probe> all;
    for (const auto& group : {expected_of_warp(), expected_of_matrix(), expected_of_copies(),
                              expected_of_boxes(), expected_of_mbarrier(), expected_of_warpgroup(),
                              expected_of_cluster(), expected_of_math()})
        all.insert(all.end(), group.begin(), group.end());
    return all;
}

// ---- where they run ----

Device probed() { return tested_device() == Device::cuda ? Device::cuda : Device::simt; }
StreamView probed_stream() {
    return probed() == tested_device() ? test_stream() : StreamView{.device = probed()};
}

const ProbedDevice& device() {
#if defined(FETTLE_WITH_CUDA)
    if (probed() == Device::cuda) {
        static const ProbedDevice gpu = on_cuda::probed_device(probed_stream());
        return gpu;
    }
#endif
    static const ProbedDevice emulator = on_simt::probed_device(probed_stream());
    return emulator;
}

const ProbeKernel& kernel_of(const Probe& probe) {
    const ProbeKernels& kernels = device().kernels;
    const auto found = std::find_if(kernels.begin(), kernels.end(),
                                    [&](const auto& kernel) { return kernel.name == probe.name; });
    ENSURE(found != kernels.end(), "probe {}: no kernel of that name", probe.name);
    return *found;
}

std::vector<uint32_t> run(const ProbeKernel& kernel, const Probe& probe) {
    std::vector<uint32_t> input = probe.input;
    input.resize(std::max<size_t>(input.size(), 1));
    const Buffer<uint32_t> in(probed(), input);
    const Buffer<uint32_t> out(probed(), static_cast<int64_t>(probe.expected.size()));
    kernel.run(out.data(), in.data(), probed_stream());
    return out.to_host();
}

// ---- their files: a line that says where the words come from, then eight words a line ----

struct ProbeFile {
    std::string title;
    std::vector<uint32_t> words;
};

std::string title_of(const Probe& probe) {
    const std::string title = probe.name + ": ", &name = device().name;
    if (probed() == Device::cuda) return title + "measured on " + name;
    return title + name + (probe.is_exact() ? ", as in " : ", within ") + probe.source;
}
std::string text_of(const ProbeFile& file) {
    std::string text = file.title + "\n";
    for (size_t i = 0; i < file.words.size(); ++i)
        text += fmt::format("{:08x}{}", file.words[i],
                            i % 8 == 7 || i + 1 == file.words.size() ? "\n" : " ");
    return text;
}
ProbeFile read_probe(const std::filesystem::path& path) {
    std::istringstream text(get(path));
    ProbeFile file;
    std::getline(text, file.title);
    uint32_t word = 0;
    while (text >> std::hex >> word) file.words.push_back(word);
    ENSURE(text.eof(), "{}: expected words of eight hexadecimal digits", path.string());
    return file;
}
std::filesystem::path path_of(const Probe& probe) { return kFolder / (probe.name + ".txt"); }

// ---- judgement ----

double value_of(uint32_t word) { return double(std::bit_cast<float>(word)); }

// How much of the allowed error a word takes; more than 1 is too much.
double share_of_error(const Allowed& allowed, uint32_t found) {
    if (found == allowed.bits) return 0.0;
    if (allowed.error == 0.0) return HUGE_VAL;
    const double expected = value_of(allowed.bits), value = value_of(found);
    if (std::isnan(expected)) return std::isnan(value) ? 0.0 : HUGE_VAL;
    if (value == expected) return 0.0;  // zeros of either sign
    const double share = std::abs(value - expected) / allowed.error;
    return share >= 0.0 ? share : HUGE_VAL;
}

struct Verdict {
    std::string problem;      // the first word that is not allowed, or none
    double most_error = 0.0;  // share of what is allowed
};
Verdict judge(const Probe& probe, const std::vector<uint32_t>& found) {
    if (found.size() != probe.expected.size())
        return {fmt::format("found {} words, expected {}", found.size(), probe.expected.size())};
    Verdict verdict;
    for (size_t i = 0; i < found.size(); ++i) {
        const Allowed& allowed = probe.expected[i];
        const double share = share_of_error(allowed, found[i]);
        if (share <= 1.0) {
            verdict.most_error = std::max(verdict.most_error, share);
        } else if (verdict.problem.empty()) {
            verdict.problem = fmt::format("word {}: expected {:08x}", i, allowed.bits);
            if (allowed.error > 0.0)
                verdict.problem += fmt::format(" ({:.9g} to an error of {:.3g})",
                                               value_of(allowed.bits), allowed.error);
            verdict.problem += fmt::format(", found {:08x}", found[i]);
            if (allowed.error > 0.0)
                verdict.problem += fmt::format(" ({:.9g})", value_of(found[i]));
        }
    }
    return verdict;
}

void report(const Probe& probe, const std::vector<uint32_t>& found) {
    const char* const folder = std::getenv("FETTLE_PROBES");
    if (folder == nullptr) return;
    const auto [problem, most_error] = judge(probe, found);
    std::printf("%s  %s", problem.empty() ? "agrees " : "DIFFERS", probe.name.c_str());
    if (!problem.empty()) std::printf(": %s", problem.c_str());
    if (!probe.is_exact()) std::printf(", %.2f of the error that is allowed", most_error);
    if (std::filesystem::exists(path_of(probe))) {
        const ProbeFile file = read_probe(path_of(probe));
        size_t differing = 0;
        for (size_t i = 0; i < std::min(found.size(), file.words.size()); ++i)
            differing += found[i] != file.words[i] ? 1 : 0;
        if (differing > 0)
            std::printf(", %zu of %zu words are not those of \"%s\"", differing, found.size(),
                        file.title.c_str());
    }
    std::printf("\n");
    std::fflush(stdout);
    std::filesystem::create_directories(folder);
    put(std::filesystem::path(folder) / (probe.name + ".txt"), text_of({title_of(probe), found}));
}

// The probe, of which the file's words are expected: within the error that is allowed the device
// that left them, and as much for the one under test.
Probe of_file(const Probe& probe, const ProbeFile& file) {
    Probe of_file = probe;
    ENSURE(file.words.size() == probe.expected.size(), "probe {}: its file has {} words, not {}",
           probe.name, file.words.size(), probe.expected.size());
    for (size_t i = 0; i < file.words.size(); ++i)
        of_file.expected[i] = {file.words[i], 2.0 * probe.expected[i].error};
    return of_file;
}

void check(const Probe& probe) {
    const ProbeKernel& kernel = kernel_of(probe);
    const int architecture = device().architecture;
    if (kernel.needs_sm90 && architecture < 900) {
        std::printf("skipped: probe %s (code for sm_%d runs, it needs sm_90)\n", probe.name.c_str(),
                    architecture / 10);
        return;
    }
    try {
        const auto found = run(kernel, probe);
        report(probe, found);
        CHECK_MESSAGE(judge(probe, found).problem == "", probe.name);
        const ProbeFile file = read_probe(path_of(probe));
        CHECK_MESSAGE(judge(of_file(probe, file), found).problem == "", file.title);
    } catch (const std::exception& error) {
        const std::string text = error.what();  // not the pointer
        FAIL_CHECK(probe.name << ": " << text);
    }
}

}  // namespace

TEST_CASE("probe: an instruction alone leaves the words that the PTX ISA or IEEE 754 says") {
    for (const Probe& probe : all_probes()) {
        SUBCASE(probe.name.c_str()) { check(probe); }  // returns, whatever happens
    }
}

TEST_CASE("probe: every file of tests/golden/probes agrees, whatever device its words are from") {
    std::set<std::string> expected;
    for (const Probe& probe : all_probes()) {
        CAPTURE(probe.name);
        expected.insert(path_of(probe).filename().string());
        const ProbeFile file = read_probe(path_of(probe));
        CHECK(file.title.rfind(probe.name + ": ", 0) == 0);
        CHECK(judge(probe, file.words).problem == "");
    }
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder))
        files.insert(entry.path().filename().string());
    CHECK(files == expected);
}

TEST_CASE("probe: one wrong bit in a word that must be exact is found, wherever it is") {
    for (const Probe& probe : all_probes()) {
        CAPTURE(probe.name);
        std::vector<uint32_t> words;
        for (const Allowed& word : probe.expected) words.push_back(word.bits);
        CHECK(judge(probe, words).problem == "");
        for (size_t i = 0; i < words.size(); ++i) {
            if (probe.expected[i].error > 0.0) continue;
            words[i] ^= 1u << i % 32;
            CHECK(contains(judge(probe, words).problem, fmt::format("word {}: ", i)));
            words[i] ^= 1u << i % 32;
        }
        words.pop_back();
        CHECK(contains(judge(probe, words).problem, "words, expected"));
    }
}

TEST_CASE("probe: a float beyond its allowed error is found") {
    const Probe probe{.name = "", .source = "", .input = {}, .expected = {{0x3f800000, 0x1p-22}}};
    CHECK(judge(probe, {0x3f800002}).problem == "");
    CHECK(judge(probe, {0x3f800003}).problem != "");
    CHECK(judge(probe, {0x7fc00000}).problem != "");
    const Probe of_two = of_file(probe, {"", {0x3f800002}});
    CHECK(judge(of_two, {0x3f7ffffc}).problem == "");
    CHECK(judge(of_two, {0x3f800006}).problem == "");
    CHECK(judge(of_two, {0x3f800007}).problem != "");
    CHECK(judge(of_file({.name = "", .source = "", .input = {}, .expected = {{1}}}, {"", {2}}), {1})
              .problem != "");
    const Probe nan{.name = "", .source = "", .input = {}, .expected = {{0x7fffffff, 1.0}}};
    CHECK(judge(nan, {0xffc00000}).problem == "");
    CHECK(judge(nan, {0x7f800000}).problem != "");
}
