// Writes the files that tests/end_to_end/bad_input_*.sh hand to the programs.
//   hostile FOLDER     one file or folder a case, and FOLDER/table.tsv

#include <fmt/core.h>

#include <exception>

#include "model/initialize.h"
#include "tests/end_to_end/hostile/hostile.h"
#include "tests/support/tiny_model.h"

namespace fs = std::filesystem;

Hostile::Hostile(fs::path root) : root_(std::move(root)) {
    fs::create_directories(root_);
    table_.open(root_ / "table.tsv");
    table_.exceptions(std::ios::failbit | std::ios::badbit);
}

fs::path Hostile::next(const std::string& kind, const std::string& name, const std::string& texts,
                       const std::string& extension) {
    fs::create_directories(root_ / kind);
    const fs::path path = root_ / kind / fmt::format("{:03}{}", ++count_, extension);
    table_ << kind << '\t' << name << '\t' << path.string() << '\t' << texts << '\n';
    return path;
}

void Hostile::add(const std::string& kind, const std::string& name, const std::string& texts,
                  const std::string& extension, const std::string& bytes) {
    std::ofstream file(next(kind, name, texts, extension), std::ios::binary);
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file << bytes;
    file.close();
}

ModelConfig write_base_model(const fs::path& folder, const std::string& family) {
    ModelConfig config = tiny_config();
    if (family == "llama") {
        config.model_type = family;
        config.norm = Norm::rms;
        config.activation = Activation::swiglu;
        config.positions = Positions::rope;
        config.qkv_bias = config.attention_out_bias = config.mlp_bias = false;
    }
    const ParameterTable table(config);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    initialize(store, 1);
    write_tokenizer(BpeTrainer().train(kTinyVocabulary), folder);
    save_model(config, store, {.folder = folder, .type = TensorType::f32, .tokenizer_from = {}});
    return config;
}

int main(int argc, char** argv) {
    try {
        if (argc != 2) throw std::runtime_error("usage: hostile FOLDER");
        Hostile out(argv[1]);
        write_base_model(out.root() / "gpt2", "gpt2");
        write_base_model(out.root() / "llama", "llama");
        write_hostile_gguf(out);
        write_hostile_llama2c(out);
        write_hostile_safetensors(out);
        write_hostile_configs(out);
        write_hostile_tokenizers(out);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "hostile: {}\n", error.what());
        return 1;
    }
}
