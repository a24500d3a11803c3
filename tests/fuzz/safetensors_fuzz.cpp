// The safetensors reader, and every value of the tensors it lets through.

#include "model/io/safetensors.h"
#include "tests/fuzz/target.h"

namespace {

void run(std::string_view input) {
    static const TemporaryFolder folder;
    const auto path = folder / "model.safetensors";
    put(path, std::string(input));
    accepted([&] {
        const SafetensorsFile file(path);
        size_t bytes = 0;
        for (const StoredTensor& tensor : file.tensors()) {
            bytes += tensor.bytes.size();
            ENSURE(file.find(tensor.name) != nullptr, "{} is not found", tensor.name);
            if (!is_floating_point(tensor.type)) continue;
            std::vector<float> values(static_cast<size_t>(tensor.count));
            read_elements(tensor.bytes.data(), tensor.type, std::span(values));
        }
        ENSURE(bytes <= input.size(), "{} bytes of tensors in {}", bytes, input.size());
    });
}

const bool kAdded = add_fuzz_target("safetensors", run);

}  // namespace
