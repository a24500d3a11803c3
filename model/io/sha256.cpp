#include "model/io/sha256.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "kernels/core/check.h"

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    ENSURE(state_->context != nullptr, "OpenSSL has no memory for SHA-256");
    ENSURE(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1,
           "OpenSSL offers no SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
    ENSURE(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1,
           "SHA-256 of {} bytes failed", bytes.size());
}

std::string Sha256::finish() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    ENSURE(EVP_DigestFinal_ex(state_->context, digest, &size) == 1, "SHA-256 failed to finish");
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
}

std::string sha256_of(std::string_view bytes) {
    Sha256 hash;
    hash.update(std::as_bytes(std::span(bytes)));
    return hash.finish();
}

std::string sha256_of_file(const std::filesystem::path& path) {
    ENSURE_INPUT(!std::filesystem::is_directory(path), path.string(),
                 "found a folder, expected a file");
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    ENSURE_INPUT(file.is_open(), path.string(), "cannot be opened: {}", std::strerror(errno));
    Sha256 hash;
    std::vector<char> chunk(1 << 20);
    while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || file.gcount() > 0)
        hash.update(std::as_bytes(std::span(chunk.data(), static_cast<size_t>(file.gcount()))));
    ENSURE_INPUT(!file.bad(), path.string(), "cannot be read: {}", std::strerror(errno));
    return hash.finish();
}
