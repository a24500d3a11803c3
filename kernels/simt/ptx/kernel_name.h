// The mangled name of a kernel, from its address: what ties a launch to the PTX of the same kernel.
#pragma once

#include <string>
#include <string_view>

namespace simt::ptx {

// The name of the function that begins at `address`, from the symbol table of this program's file.
// An Error if the file has none (strip removed it) or no such function.
std::string function_name(const void* address);

// What names of the same kernel have in common on simt and on cuda: the device's namespace goes,
// and what makes an unnamed namespace unique to its file.
std::string without_device(std::string_view mangled);

}  // namespace simt::ptx
