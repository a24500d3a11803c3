// Which slot of the register file a name or a constant of a kernel's text has. Internal to
// program.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/simt/ptx/program.h"

namespace simt::ptx {

class ProgramRegisters {
public:
    explicit ProgramRegisters(Program& program) : program_(program) {}

    // `.reg .b32 %r<14>`: %r0 to %r13; count 0: the one register `name`.
    void declare(std::string_view name, uint64_t count);
    bool is_declared(std::string_view name) const;

    uint16_t of_register(std::string_view name);  // declared
    uint16_t of_constant(uint64_t value);
    uint16_t of_special(Special::Kind kind, uint64_t offset = 0);
    uint16_t unused();  // one that nothing else has
    // Only registers are written to.
    bool is_writable(uint16_t slot) const { return writable_[slot]; }

private:
    uint16_t add(uint64_t value, bool writable);

    Program& program_;
    std::unordered_map<std::string, uint64_t> counts_;  // of a range, by prefix; 0: a name
    std::unordered_map<std::string, uint16_t> registers_;
    std::unordered_map<uint64_t, uint16_t> constants_;
    std::map<std::pair<Special::Kind, uint64_t>, uint16_t> specials_;
    std::vector<bool> writable_;  // by slot
};

// "%tid.x": false if there is no special register of that name.
bool find_special(std::string_view name, Special::Kind* kind);

}  // namespace simt::ptx
