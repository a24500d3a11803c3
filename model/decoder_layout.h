// Where a decoder's parameters stand in the table: names are looked up once, here.
#pragma once

#include <vector>

#include "model/config.h"
#include "model/linear.h"
#include "model/parameters.h"

// A LayerNorm's or RMSNorm's parameters; bias is -1 for RMSNorm.
struct NormParameters {
    int weight = -1;
    int bias = -1;
};

struct BlockLayout {
    NormParameters attention_norm;
    Linear qkv;  // q, k and v as one matrix
    int q_norm = -1;
    int k_norm = -1;
    Linear attention_out;
    NormParameters mlp_norm;
    Linear mlp_in;  // GPT-2's c_fc, or gate and up as one matrix
    Linear mlp_out;
};

struct DecoderLayout {
    int token_embedding = -1;
    int position_embedding = -1;  // -1: RoPE
    std::vector<BlockLayout> blocks;
    NormParameters final_norm;
    int head = -1;  // [V, C]; of a tied head, the entry that shares the embedding's elements
};

DecoderLayout decoder_layout(const ModelConfig& config, const ParameterTable& table);
