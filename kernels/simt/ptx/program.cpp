#include "kernels/simt/ptx/program.h"

#include <fmt/core.h>

#include "kernels/simt/block.h"
#include "kernels/simt/ptx/program_decoder.h"

namespace simt::ptx {

Program::Program(const Module& module, const Entry& entry) : module_(&module), entry_(&entry) {
    Decoder(*this).run();
}

Place Program::place_of(const Instruction* at) const {
    const Origin& origin = origins_[static_cast<size_t>(at - code.data())];
    if (origin.line == 0) return {module_->name().c_str(), origin.ptx_line};
    return {origin.file, origin.line};
}

std::string Program::description(const Instruction* at) const {
    const Origin& origin = origins_[static_cast<size_t>(at - code.data())];
    const std::string& path = module_->name();
    const std::string ptx = fmt::format("{}:{}", path.substr(path.rfind('/') + 1), origin.ptx_line);
    if (origin.line == 0) return ptx;
    return fmt::format("{}:{} ({})", origin.file, origin.line, ptx);
}

// The decoder puts them beside the code, `immediate` says where.
const uint16_t* many_slots(const Instruction* i, const Frame& frame) {
    return frame.program->more_slots.data() + i->immediate;
}

void fail_at(const Frame& frame, const Instruction* at, const std::string& message) {
    simt::fail(fmt::format("{} at {}: {}", name_of(*block->current), frame.program->description(at),
                           message));
}

}  // namespace simt::ptx
