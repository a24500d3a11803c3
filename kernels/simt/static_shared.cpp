#include "kernels/simt/static_shared.h"

#include <link.h>

#include <algorithm>

#include "kernels/simt/block.h"

namespace simt {
namespace {

// Kernels lie in the program, or in the library that holds the emulator too.
int note_module(dl_phdr_info* module, size_t, void* out) {
    auto& parts = *static_cast<std::vector<std::span<char>>*>(out);
    auto* const start = static_cast<char*>(module->dlpi_tls_data);
    size_t bytes = 0;
    for (int i = 0; start != nullptr && i < module->dlpi_phnum; ++i)
        if (module->dlpi_phdr[i].p_type == PT_TLS) bytes = module->dlpi_phdr[i].p_memsz;
    const auto* emulator = reinterpret_cast<const char*>(&block);
    const bool is_first = parts.empty();  // the program
    if (is_first || (emulator >= start && emulator < start + bytes))
        parts.emplace_back(start, bytes);
    return 0;
}

}  // namespace

StaticShared::StaticShared() { dl_iterate_phdr(note_module, &parts_); }

void StaticShared::save(std::vector<char>& image) const {
    image.clear();
    for (const std::span<char> part : parts_) image.insert(image.end(), part.begin(), part.end());
}

void StaticShared::restore(const std::vector<char>& image) const {
    auto from = image.begin();
    for (const std::span<char> part : parts_) {
        const auto end = from + static_cast<std::ptrdiff_t>(part.size());
        std::copy(from, end, part.begin());
        from = end;
    }
}

}  // namespace simt
