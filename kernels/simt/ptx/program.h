// A kernel, decoded once: instructions whose operands are slots of a register file.
//
// The file holds, in the order in which the text names them, constants, addresses of variables,
// special registers and registers. A thread begins with a copy of `registers`, in which its
// `specials` are filled in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simt/place.h"
#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/module.h"

namespace simt::ptx {

// A slot whose value depends on the thread or the launch.
struct Special {
    enum Kind : uint8_t {
        tid_x,
        tid_y,
        tid_z,  // clang-format off: the order of kNames
        ntid_x,
        ntid_y,
        ntid_z,
        ctaid_x,
        ctaid_y,
        ctaid_z,
        nctaid_x,
        nctaid_y,
        nctaid_z,
        laneid,
        warpid,
        lanemask_eq,
        lanemask_lt,
        lanemask_le,
        lanemask_gt,
        lanemask_ge,
        cluster_ctarank,
        cluster_nctarank,
        parameters,  // clang-format on: an address within the parameters ...
        local,       // ... or within the thread's local memory, `offset` bytes in
    };
    Kind kind;
    uint16_t slot;
    uint64_t offset;
};

class Program {
public:
    // Both must outlive it. An InputError names an instruction that is not known, or what is wrong
    // with the text.
    Program(const Module& module, const Entry& entry);

    std::vector<Instruction> code;
    std::vector<uint16_t> more_slots;  // of instructions with many
    std::vector<uint64_t> registers;
    std::vector<Special> specials;
    std::vector<size_t> parameter_offsets;
    size_t parameter_bytes = 0;
    size_t shared_bytes = 0;  // static; where dynamic shared memory begins
    size_t local_bytes = 0;

    const Entry& entry() const { return *entry_; }
    Place place_of(const Instruction* at) const;           // in the kernel's source
    std::string description(const Instruction* at) const;  // for messages

private:
    friend class Decoder;
    struct Origin {
        const char* file = "";
        int line = 0;
        int ptx_line = 0;
    };
    const Module* module_;
    const Entry* entry_;
    std::vector<Origin> origins_;  // of each instruction
};

}  // namespace simt::ptx
