// A model folder over bytes with room for a conversation.
#pragma once

#include <filesystem>

#include "model/initialize.h"
#include "tests/support/tiny_model.h"

// It says `byte` again and again; 0: something random, of the seed's weights.
inline void write_talking_model(const std::filesystem::path& folder, char byte,
                                int positions = 256) {
    write_tokenizer(BpeTrainer().train(kTinyVocabulary), folder);
    ModelConfig config = tiny_config();
    config.max_positions = positions;
    const ParameterTable table(config);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    if (byte != 0) {
        favour(store, Tokenizer::from_folder(folder).encode(std::string(1, byte)).at(0), 9.0);
    } else {
        initialize(store, 1);
        for (float& weight : store.weights()) weight *= 20.0f;  // apart from one another
    }
    save_model(config, store, {.folder = folder, .type = TensorType::f32, .tokenizer_from = {}});
}
