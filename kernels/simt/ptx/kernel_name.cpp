#include "kernels/simt/ptx/kernel_name.h"

#include <elf.h>
#include <link.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <vector>

#include "kernels/core/check.h"

namespace simt::ptx {
namespace {

constexpr const char* kProgram = "/proc/self/exe";

// Where the program lies, relative to the addresses in its file.
uintptr_t load_offset() {
    uintptr_t offset = 0;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* result) {
            *static_cast<uintptr_t*>(result) = info->dlpi_addr;
            return 1;  // the program comes first
        },
        &offset);
    return offset;
}

std::vector<char> read_bytes(std::ifstream& file, uint64_t offset, uint64_t count) {
    std::vector<char> bytes(count);
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(bytes.data(), static_cast<std::streamsize>(count));
    ENSURE(file.good(), "{}: cannot be read", kProgram);
    return bytes;
}
template <typename T>
std::vector<T> read_array(std::ifstream& file, uint64_t offset, uint64_t bytes) {
    const auto raw = read_bytes(file, offset, bytes);
    std::vector<T> values(raw.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), raw.data(), values.size() * sizeof(T));
    return values;
}

using Names = std::map<uintptr_t, std::string>;  // of functions, by address in the file

// It is this program's own file, which the loader has accepted.
Names read_names() {
    std::ifstream file(kProgram, std::ios::binary);
    ENSURE(file, "{}: cannot be opened", kProgram);
    const auto header = read_array<Elf64_Ehdr>(file, 0, sizeof(Elf64_Ehdr)).front();
    const auto sections =
        read_array<Elf64_Shdr>(file, header.e_shoff, uint64_t{header.e_shnum} * sizeof(Elf64_Shdr));
    Names names;
    for (const Elf64_Shdr& section : sections) {
        if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
        const Elf64_Shdr& text = sections[section.sh_link];
        auto strings = read_bytes(file, text.sh_offset, text.sh_size);
        strings.push_back('\0');
        for (const auto& symbol : read_array<Elf64_Sym>(file, section.sh_offset, section.sh_size))
            if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_name < strings.size())
                names.emplace(symbol.st_value, &strings[symbol.st_name]);
    }
    ENSURE(!names.empty(), "{}: no symbol table, expected a program that was not stripped",
           kProgram);
    return names;
}

}  // namespace

std::string function_name(const void* address) {
    static const Names names = read_names();
    const auto found = names.find(reinterpret_cast<uintptr_t>(address) - load_offset());
    ENSURE(found != names.end(), "{}: no function at {} in the symbol table", kProgram, address);
    return found->second;
}

std::string without_device(std::string_view mangled) {
    std::string name;
    while (!mangled.empty()) {
        const std::string_view start = mangled.substr(0, 8);
        if (start != "7on_cuda" && start != "7on_simt") {
            name += mangled.front();
            mangled.remove_prefix(1);
            continue;
        }
        mangled.remove_prefix(8);
        name += "6device";
        size_t length = 0;  // of the namespace within
        const char* const end = mangled.data() + mangled.size();
        const auto parsed = std::from_chars(mangled.data(), end, length);
        const auto digits = static_cast<size_t>(parsed.ptr - mangled.data());
        const bool unnamed = mangled.substr(digits, 11) == "_GLOBAL__N_";
        if (parsed.ec != std::errc() || !unnamed || length > mangled.size() - digits) continue;
        name += "7unnamed";
        mangled.remove_prefix(digits + length);
    }
    return name;
}

}  // namespace simt::ptx
