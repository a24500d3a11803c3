// Files too large or too strictly licensed for the repository: tests use them where they are.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

// The file or folder `relative` in $FETTLE_SHARED (default: ../shared/data). Where it is absent,
// nothing, after a line that says what is skipped.
inline std::optional<std::filesystem::path> shared_data(const std::string& relative) {
    const char* root = std::getenv("FETTLE_SHARED");
    const auto path = std::filesystem::path(root != nullptr ? root : "../shared/data") / relative;
    if (std::filesystem::exists(path)) return path;
    std::printf("skipped: what needs %s (FETTLE_SHARED names its folder)\n", relative.c_str());
    return std::nullopt;
}

// SmolLM2's GGUF file: $FETTLE_SMOLLM2, or where `make demo-smollm2` puts it.
inline std::optional<std::filesystem::path> smollm2_gguf() {
    const char* named = std::getenv("FETTLE_SMOLLM2");
    const std::filesystem::path path =
        named != nullptr ? named : "runs/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    if (std::filesystem::exists(path)) return path;
    std::printf(
        "skipped: what needs SmolLM2 (make demo-smollm2 fetches it; FETTLE_SMOLLM2 names "
        "the .gguf)\n");
    return std::nullopt;
}
