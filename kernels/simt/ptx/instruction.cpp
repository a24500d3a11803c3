#include "kernels/simt/ptx/instruction.h"

namespace simt::ptx {

void Table::add(const std::string& name, Handler run, int slots, int results, size_t bytes) {
    forms_[name] = {run, slots, results, bytes};
    families_.insert(name.substr(0, name.find('.')));
}

const Form* Table::find(const std::string& name) const {
    const auto found = forms_.find(name);
    return found == forms_.end() ? nullptr : &found->second;
}

const Table& all_instructions() {
    static const Table all = [] {
        Table table;
        add_integer(table);
        add_bits(table);
        add_float(table);
        add_convert(table);
        add_memory(table);
        add_matrix(table);
        add_copies(table);
        add_warpgroup(table);
        add_control(table);
        return table;
    }();
    return all;
}

}  // namespace simt::ptx
