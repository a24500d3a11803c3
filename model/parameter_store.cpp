#include "model/parameter_store.h"

#include "kernels/core/check.h"

const char* name_of(Role role) {
    static constexpr const char* kNames[kNumRoles] = {"weight", "gradient", "master", "moment1",
                                                      "moment2"};
    return kNames[static_cast<int>(role)];
}

template <typename T>
void ParameterStore<T>::allocate(Role role) {
    if (has(role)) return;
    const size_t element = role == Role::weight ? sizeof(T) : sizeof(Accumulator<T>);
    buffers_[static_cast<size_t>(role)] =
        Buffer<std::byte>(device_, table_->total_elements() * static_cast<int64_t>(element),
                          fmt::format("parameters, role {}", name_of(role)).c_str());
}

template <typename T>
void ParameterStore<T>::set_to_zero(Role role, StreamView stream) {
    require(role);
    ::set_to_zero(stream, buffer(role).data(), buffer(role).bytes());
}

template <typename T>
void ParameterStore<T>::copy_from(const ParameterStore& other) {
    for (size_t role = 0; role < kNumRoles; ++role) {
        const Buffer<std::byte>&to = buffers_[role], &from = other.buffers_[role];
        ENSURE(to.bytes() == from.bytes(), "parameters: {} bytes cannot be copied into {}",
               from.bytes(), to.bytes());
        if (device_ == Device::cuda)
            copy_to_device(device_, to.data(), from.data(), to.bytes());
        else
            copy_to_host(other.device_, to.data(), from.data(), to.bytes());
    }
}

template <typename T>
ParameterStore<T> ParameterStore<T>::copy_on(Device device) const {
    ParameterStore copy(*table_, device);
    for (int role = 0; role < kNumRoles; ++role)
        if (has(static_cast<Role>(role))) copy.allocate(static_cast<Role>(role));
    copy.copy_from(*this);
    return copy;
}

template <typename T>
void ParameterStore<T>::write_on_host(const std::function<void(ParameterStore&)>& write) {
    if (device_ != Device::cuda) return write(*this);
    ParameterStore copy = copy_on(Device::cpu);
    write(copy);
    copy_from(copy);
}

template <typename T>
void ParameterStore<T>::read_on_host(const std::function<void(const ParameterStore&)>& read) const {
    if (device_ != Device::cuda) return read(*this);
    read(copy_on(Device::cpu));
}

template <typename T>
int64_t ParameterStore<T>::bytes() const {
    int64_t sum = 0;
    for (const Buffer<std::byte>& each : buffers_) sum += each.bytes();
    for (const auto& [parameter, blocks] : quantized_) sum += blocks.bytes.bytes();
    return sum;
}

template <typename T>
int64_t ParameterStore<T>::offset(int parameter) const {
    const Parameter& found = (*table_)[parameter];
    ENSURE(!found.quantized, "parameter {} is quantised: it has no elements in the buffers",
           found.name);
    return found.offset;
}

template <typename T>
QuantizedWeight ParameterStore<T>::quantized(int parameter) const {
    const auto found = quantized_.find((*table_)[parameter].tied_to.value_or(parameter));
    ENSURE(found != quantized_.end(), "parameter {} has no blocks", (*table_)[parameter].name);
    return {found->second.type, found->second.bytes.data()};
}

template <typename T>
std::span<std::byte> ParameterStore<T>::allocate_quantized(int parameter, BlockType type) {
    ENSURE(device_ == Device::cpu, "parameter {}: quantised weights are multiplied on cpu only",
           (*table_)[parameter].name);
    const Parameter& found = (*table_)[parameter];
    ENSURE(found.quantized && !found.tied_to && found.count % values_per_block(type) == 0,
           "parameter {} of {} elements cannot hold {} blocks", found.name, found.count,
           name_of(type));
    const int64_t bytes = found.count / values_per_block(type) * bytes_per_block(type);
    const auto [place, added] = quantized_.insert_or_assign(
        parameter, Blocks{type, Buffer<std::byte>(Device::cpu, bytes, found.name.c_str())});
    return {place->second.bytes.data(), static_cast<size_t>(bytes)};
}

template <typename T>
void ParameterStore<T>::require(Role role) const {
    ENSURE(has(role), "the parameters' role {} was not allocated", name_of(role));
}

template <typename T>
std::span<T> ParameterStore<T>::weights() {
    require(Role::weight);
    const Buffer<std::byte>& buffer = buffers_[static_cast<size_t>(Role::weight)];
    return {reinterpret_cast<T*>(buffer.data()), static_cast<size_t>(table_->total_elements())};
}

template <typename T>
std::span<const T> ParameterStore<T>::weights() const {
    return const_cast<ParameterStore*>(this)->weights();  // adds the constness back
}

template <typename T>
std::span<Accumulator<T>> ParameterStore<T>::all(Role role) {
    ENSURE(role != Role::weight, "weights are read by weights(), which knows their type");
    require(role);
    const Buffer<std::byte>& buffer = buffers_[static_cast<size_t>(role)];
    return {reinterpret_cast<Accumulator<T>*>(buffer.data()),
            static_cast<size_t>(table_->total_elements())};
}

template <typename T>
std::span<const Accumulator<T>> ParameterStore<T>::all(Role role) const {
    return const_cast<ParameterStore*>(this)->all(role);  // likewise
}

template class ParameterStore<float>;
template class ParameterStore<double>;
template class ParameterStore<bf16>;
