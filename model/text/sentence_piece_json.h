// Recognises the forms in which a tokenizer.json describes a SentencePiece tokenizer.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/text/sentence_piece.h"

// From `normalizer`, `pre_tokenizer` and `decoder` of the document, as published with Llama 2,
// TinyLlama and Mistral. Anything else is an InputError that says where and what was found.
SentencePiece read_sentence_piece(const nlohmann::json& document, const std::string& source);

// The same three members.
void write_sentence_piece(const SentencePiece& rule, nlohmann::ordered_json& document);
