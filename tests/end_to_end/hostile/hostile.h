// Files that no program may believe, and what it must say of each. The scripts bad_input_*.sh give
// them to the programs.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "model/config.h"
#include "tests/support/gguf_writer.h"

// Writes files below one folder and, beside them, a table of all of them: a line of kind, name,
// path and the texts that the message must hold ("a|b"), with tabs between.
class Hostile {
public:
    explicit Hostile(std::filesystem::path root);

    // The path of the case's file, "<root>/<kind>/<number><extension>"; its folder exists.
    std::filesystem::path next(const std::string& kind, const std::string& name,
                               const std::string& texts, const std::string& extension = "");
    void add(const std::string& kind, const std::string& name, const std::string& texts,
             const std::string& extension, const std::string& bytes);

    const std::filesystem::path& root() const { return root_; }

private:
    std::filesystem::path root_;
    std::ofstream table_;
    int count_ = 0;
};

// A model of one block over the 256 bytes and <|endoftext|>, in a folder with its tokenizer, of
// family gpt2 or llama. What the cases spoil.
ModelConfig write_base_model(const std::filesystem::path& folder, const std::string& family);

// The bytes with some of them replaced.
inline std::string patched(std::string bytes, size_t at, const std::string& by) {
    return bytes.replace(at, by.size(), by);
}

void write_hostile_gguf(Hostile& out);
void write_hostile_llama2c(Hostile& out);
void write_hostile_safetensors(Hostile& out);
void write_hostile_configs(Hostile& out);
void write_hostile_tokenizers(Hostile& out);
