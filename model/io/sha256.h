// SHA-256, in hexadecimal: the identity of inputs and outputs in run.json and manifests.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void update(std::span<const std::byte> bytes);
    // 64 lower-case digits of everything so far; nothing may be added afterwards.
    std::string finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string sha256_of(std::string_view bytes);
// An InputError if the file cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);
