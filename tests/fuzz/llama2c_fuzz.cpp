// llama2.c's model.bin and tokenizer.bin, each also without the other being right.

#include "model/io/import_llama2c.h"
#include "model/io/safetensors.h"
#include "tests/fuzz/target.h"

namespace {

constexpr int kVocabulary = 262;  // of a tokenizer beside a model that says nothing

void run(std::string_view input) {
    static const TemporaryFolder folder;
    auto files = files_in(input);
    const auto bytes = [&](const char* name) {
        return std::as_bytes(std::span<const char>(files[name]));
    };
    ImportedModel model{.source = "model.bin", .config = {}, .tensors = {}, .tokenizer = {}};
    model.config.vocab_size = kVocabulary;
    accepted([&] {
        model.config = config_from_llama2c(bytes("model.bin"), "model.bin");
        model.tensors = tensors_from_llama2c(bytes("model.bin"), model.config, "model.bin");
        write_imported_weights(model, {TensorType::f16}, folder / "model.safetensors");
        const SafetensorsFile written(folder / "model.safetensors");
    });
    const bool usable = accepted([&] {
        write_tokenizer(tokenizer_from_llama2c(bytes("tokenizer.bin"), model.config.vocab_size,
                                               "tokenizer.bin"),
                        folder.path());
    });
    if (usable) use_tokenizer(Tokenizer::from_folder(folder.path()));
}

const bool kAdded = add_fuzz_target("llama2c", run);

}  // namespace
