// A GGUF file: each value as each type, then the model, its weights and its tokenizer.

#include "model/io/gguf.h"
#include "model/io/import_gguf.h"
#include "model/io/safetensors.h"
#include "tests/fuzz/target.h"

namespace {

constexpr int64_t kLimit = 1000;  // elements of an array

void use_values(const GgufFile& file) {
    for (const auto& [name, value] : file.metadata()) {
        const std::string key(name);
        accepted([&] { file.integer(key); });
        accepted([&] { file.number(key); });
        accepted([&] { file.boolean(key); });
        accepted([&] { file.string(key); });
        accepted([&] { file.strings(key, kLimit); });
        accepted([&] { file.integers(key, kLimit); });
        accepted([&] { file.floats(key, kLimit); });
    }
}

void use_tensors(const GgufFile& file) {
    for (const GgufTensor& tensor : file.tensors()) {
        ENSURE(file.find_tensor(tensor.name) != nullptr, "{} is not found", tensor.name);
        std::vector<float> values(static_cast<size_t>(tensor.count));
        dequantize(tensor.type, tensor.bytes, values);
    }
}

void run(std::string_view input) {
    static const TemporaryFolder folder;
    put(folder / "model.gguf", std::string(input));
    accepted([&] {
        const GgufFile file(folder / "model.gguf");
        use_values(file);
        use_tensors(file);
        ImportedModel model{.source = "model.gguf", .config = {}, .tensors = {}, .tokenizer = {}};
        model.config.vocab_size = kLimit;  // where the file describes no model
        accepted([&] {
            model.config = config_from_gguf(file);
            model.tensors = tensors_from_gguf(file, model.config);
            for (const bool keep_quantized : {false, true}) {
                write_imported_weights(model, {TensorType::f16, keep_quantized}, folder / "m");
                const SafetensorsFile written(folder / "m");
            }
        });
        model.tokenizer = tokenizer_from_gguf(file, model.config);
        write_tokenizer(model.tokenizer, folder.path());
        use_tokenizer(Tokenizer::from_folder(folder.path()), model.tokenizer.chat_template);
    });
}

const bool kAdded = add_fuzz_target("gguf", run);

}  // namespace
