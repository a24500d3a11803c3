#include "tests/support/golden.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "tests/support/devices.h"

std::filesystem::path golden_folder(const std::string& model) {
    return std::filesystem::path("tests/golden/models") / model;
}

template <typename T>
GoldenModel<T>::GoldenModel(const std::string& name)
    : folder(open_model_folder(golden_folder(name))),
      table(folder.config),
      store(table, std::is_same_v<T, double> ? Device::cpu : tested_device()),
      values(golden_folder(name) / "golden.safetensors") {
    store.allocate(Role::weight);
    store.allocate(Role::gradient);
    store.write_on_host([&](ParameterStore<T>& on_host) { load_weights(folder, on_host); });
}

namespace {
template <typename Element>
std::vector<Element> elements(const SafetensorsFile& file, const std::string& name) {
    const StoredTensor* tensor = file.find(name);
    ENSURE(tensor != nullptr, "{}: no tensor {}", file.path().string(), name);
    std::vector<Element> out(static_cast<size_t>(tensor->count));
    ENSURE(tensor->bytes.size() == out.size() * sizeof(Element), "{}: {} is of another type",
           file.path().string(), name);
    std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
    return out;
}
}  // namespace

template <typename T>
std::vector<float> GoldenModel<T>::floats(const std::string& tensor) const {
    return elements<float>(values, tensor);
}

template <typename T>
std::vector<int32_t> GoldenModel<T>::integers(const std::string& tensor) const {
    return elements<int32_t>(values, tensor);
}

template <typename T>
double GoldenModel<T>::number(const std::vector<std::string>& path) const {
    nlohmann::json at = read_json_file(folder.path / "golden.json");
    for (const std::string& key : path) at = at.at(key);
    return at.get<double>();
}

template <typename T>
Batch GoldenModel<T>::batch() const {
    const auto tokens = integers("tokens");
    const auto starts = integers("row_starts");
    const auto weights = floats("loss_weight");
    Batch batch;
    for (size_t r = 0; r + 1 < starts.size(); ++r) {
        const auto first = static_cast<size_t>(starts[r]);
        const auto count = static_cast<size_t>(starts[r + 1] - starts[r]);
        batch.append_row(std::span(tokens).subspan(first, count),
                         std::span(weights).subspan(first, count), static_cast<int32_t>(r));
    }
    return batch;
}

template <typename T>
std::vector<Batch> GoldenModel<T>::bf16_batches() const {
    const auto tokens = integers("bf16.tokens");
    const auto row_starts = integers("bf16.row_starts");
    const auto batch_starts = integers("bf16.batch_starts");
    std::vector<Batch> batches(batch_starts.size() - 1);
    for (size_t b = 0; b < batches.size(); ++b)
        for (int32_t r = batch_starts[b]; r < batch_starts[b + 1]; ++r) {
            const auto first = static_cast<size_t>(row_starts[r]);
            const auto count = static_cast<size_t>(row_starts[r + 1] - row_starts[r]);
            batches[b].append_row(std::span(tokens).subspan(first, count), {}, r - batch_starts[b]);
        }
    return batches;
}

template struct GoldenModel<float>;
template struct GoldenModel<bf16>;
template struct GoldenModel<double>;
