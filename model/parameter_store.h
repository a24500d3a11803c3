// The memory behind a ParameterTable: one flat buffer per role, all laid out by the same offsets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>

#include "kernels/core/buffer.h"
#include "kernels/core/dtype.h"
#include "kernels/quantize/quantized_matmul.h"
#include "model/parameters.h"

enum class Role {
    weight,    // T: what the model computes with
    gradient,  // Accumulator<T>, as are all that follow
    master,    // the weights the optimiser keeps where T has fewer bits
    moment1,   // AdamW
    moment2,
};
inline constexpr int kNumRoles = 5;
const char* name_of(Role role);

// T is float, bf16, or double for finite differences. Borrows the table, which must outlive it.
// Buffers exist once requested, are zeroed, and start at 64-byte boundaries; a tied parameter
// addresses the elements of the one it is tied to. Pointers and spans are to the device's memory;
// code of the host (loading, saving) gets a store by read_on_host and write_on_host.
template <typename T>
class ParameterStore {
public:
    explicit ParameterStore(const ParameterTable& table, Device device = Device::cpu)
        : table_(&table), device_(device) {}

    const ParameterTable& table() const { return *table_; }
    Device device() const { return device_; }

    // Does nothing if the role is already there.
    void allocate(Role role);
    bool has(Role role) const { return buffer(role).bytes() > 0; }
    int64_t bytes() const;  // of all roles allocated

    // Whole buffers, total_elements() long. An Error if the role was not allocated.
    std::span<T> weights();
    std::span<const T> weights() const;
    std::span<Accumulator<T>> all(Role role);  // any role but weight
    std::span<const Accumulator<T>> all(Role role) const;

    void set_to_zero(Role role, StreamView stream);  // on the same device

    // Calls its argument with a store that the host can access: this one, or where a GPU has the
    // memory a copy of it on the cpu, which write_on_host copies back.
    void write_on_host(const std::function<void(ParameterStore&)>& write);
    void read_on_host(const std::function<void(const ParameterStore&)>& read) const;

    // One parameter's elements. An Error if it is quantised.
    T* weight(int parameter) { return weights().data() + offset(parameter); }
    const T* weight(int parameter) const { return weights().data() + offset(parameter); }
    Accumulator<T>* at(Role role, int parameter) { return all(role).data() + offset(parameter); }
    const Accumulator<T>* at(Role role, int parameter) const {
        return all(role).data() + offset(parameter);
    }
    Accumulator<T>* gradient(int parameter) { return at(Role::gradient, parameter); }
    Accumulator<T>* master(int parameter) { return at(Role::master, parameter); }

    // A quantised parameter's blocks; they must have been set. An Error if it is not quantised.
    QuantizedWeight quantized(int parameter) const;
    // Memory for such a parameter's blocks, to be filled.
    std::span<std::byte> allocate_quantized(int parameter, BlockType type);

private:
    struct Blocks {
        BlockType type;
        Buffer<std::byte> bytes;
    };

    int64_t offset(int parameter) const;
    const Buffer<std::byte>& buffer(Role role) const { return buffers_[static_cast<size_t>(role)]; }
    void require(Role role) const;

    ParameterStore copy_on(Device device) const;  // without quantised parameters
    void copy_from(const ParameterStore& other);  // of the same roles

    const ParameterTable* table_;
    Device device_;
    std::array<Buffer<std::byte>, kNumRoles> buffers_;
    std::map<int, Blocks> quantized_;  // by parameter; of a tied pair, by the owner
};
