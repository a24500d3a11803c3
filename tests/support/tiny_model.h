// A model folder made by a test: one GPT-2 block over the 256 bytes and <|endoftext|>, of zeros
// except for what makes it always favour one token.
#pragma once

#include <filesystem>

#include "model/config.h"
#include "model/io/hugging_face.h"
#include "model/parameter_store.h"
#include "model/text/tokenizer_writer.h"

// <|endoftext|> is token 0, every byte one token: the vocabulary.
inline constexpr int kTinyVocabulary = 257;
inline constexpr int kTinyPositions = 64;

inline ModelConfig tiny_config(int vocabulary = kTinyVocabulary) {
    ModelConfig config = *preset_config("gpt2");
    config.vocab_size = vocabulary;
    config.num_layers = 1;
    config.hidden = 8;
    config.num_heads = config.num_kv_heads = 2;
    config.head_dim = 4;
    config.intermediate = 16;
    config.max_positions = kTinyPositions;
    config.bos_id = 0;
    config.eos_ids = {0};
    return config;
}

// Logits are `logit` for the token and 0 for every other, after any text.
template <typename T>
void favour(ParameterStore<T>& store, int32_t token, double logit) {
    const ParameterTable& table = store.table();
    for (T& weight : store.weights()) weight = T(0.0f);
    store.weight(table.index_of("transformer.ln_f.bias"))[0] = T(1.0f);
    store.weight(table.index_of("transformer.wte.weight"))[token * 8] = T(float(logit));
}

// The folder, with its tokenizer; `token` -1: no token is favoured, all are as probable.
inline void write_tiny_model(const std::filesystem::path& folder, int32_t token, double logit,
                             int vocabulary = kTinyVocabulary) {
    const ModelConfig config = tiny_config(vocabulary);
    const ParameterTable table(config);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    if (token >= 0) favour(store, token, logit);
    write_tokenizer(BpeTrainer().train(kTinyVocabulary), folder);
    save_model(config, store, {.folder = folder, .type = TensorType::f32, .tokenizer_from = {}});
}
