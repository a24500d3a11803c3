// import_gguf, and tensors_from_gguf: which stored tensor is which parameter.

#include "model/io/import_gguf.h"

#include <set>

#include "kernels/core/check.h"
#include "model/io/safetensors.h"
#include "model/parameters.h"

namespace {

using Layout = ForeignTensor::Layout;

// Names without what stands before and after: "model.layers.7." and ".weight" in transformers'
// files, "blk.7." and ".weight" in GGUF.
struct NamePair {
    const char* ours;
    const char* theirs;
};
constexpr NamePair kOutside[] = {
    {"model.embed_tokens", "token_embd"}, {"transformer.wte", "token_embd"},
    {"transformer.wpe", "position_embd"}, {"model.norm", "output_norm"},
    {"transformer.ln_f", "output_norm"},  {"lm_head", "output"},
};
constexpr NamePair kInBlock[] = {
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.o_proj", "attn_output"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"ln_1", "attn_norm"},
    {"attn.c_attn", "attn_qkv"},
    {"attn.c_proj", "attn_output"},
    {"ln_2", "ffn_norm"},
    {"mlp.c_fc", "ffn_up"},
    {"mlp.c_proj", "ffn_down"},
};

std::string stored_name(const Parameter& parameter) {
    const std::string& name = parameter.name;
    const size_t dot = name.rfind('.');
    const std::string suffix = name.substr(dot);
    if (parameter.layer < 0) {
        for (const NamePair& pair : kOutside)
            if (name.substr(0, dot) == pair.ours) return pair.theirs + suffix;
    } else {
        const std::string number = fmt::format(".{}.", parameter.layer);
        const size_t start = name.find(number) + number.size();
        for (const NamePair& pair : kInBlock)
            if (name.substr(start, dot - start) == pair.ours)
                return fmt::format("blk{}{}{}", number, pair.theirs, suffix);
    }
    throw Error(fmt::format("parameter {} has no name in GGUF", name));
}

bool turns_with_rope(const std::string& stored) {
    return stored.find(".attn_q.") != std::string::npos ||
           stored.find(".attn_k.") != std::string::npos;
}

ForeignTensor foreign_tensor(const GgufFile& file, const ModelConfig& config,
                             const Parameter& parameter) {
    const std::string stored = stored_name(parameter);
    const std::string where = fmt::format("{}: tensor {}", file.path().string(), stored);
    const GgufTensor* tensor = file.find_tensor(stored);
    ENSURE_INPUT(tensor != nullptr, where, "is missing, expected one of shape {}",
                 shape_text(parameter.shape));
    ForeignTensor foreign{.name = "tensor " + stored, .type = tensor->type, .bytes = tensor->bytes};
    std::vector<int64_t> shape = parameter.shape;
    if (parameter.transposed) {
        foreign.layout = Layout::transposed;
        std::swap(shape[0], shape[1]);
    } else if (config.model_type == "llama" && turns_with_rope(stored)) {
        foreign.layout = Layout::rotary_pairs;
        ENSURE_INPUT(shape.size() > 1 || values_per_block(tensor->type) == 1, where,
                     "found type {}, expected F32, F16 or BF16 for a vector",
                     name_of(tensor->type));
    }
    ENSURE_INPUT(tensor->shape == shape, where, "found shape {}, expected {}",
                 shape_text(tensor->shape), shape_text(shape));
    return foreign;
}

}  // namespace

std::vector<ForeignTensor> tensors_from_gguf(const GgufFile& file, const ModelConfig& config) {
    const ParameterTable table(config);
    std::vector<ForeignTensor> tensors(static_cast<size_t>(table.size()));
    std::set<std::string> used = {"rope_freqs.weight"};  // read with the configuration
    for (int index = 0; index < table.size(); ++index) {
        used.insert(stored_name(table[index]));  // a tied head may be stored once more
        if (!table[index].tied_to)
            tensors[static_cast<size_t>(index)] = foreign_tensor(file, config, table[index]);
    }
    for (const GgufTensor& tensor : file.tensors())
        ENSURE_INPUT(used.contains(tensor.name), file.path().string(),
                     "tensor {} is not part of the {} model that the metadata describes",
                     printable(tensor.name), config.model_type);
    return tensors;
}

Imported import_gguf(const ImportGguf& args) {
    const GgufFile file(args.model);
    ImportedModel model;
    model.source = args.model.string();
    model.config = config_from_gguf(file);
    model.tensors = tensors_from_gguf(file, model.config);
    model.tokenizer = tokenizer_from_gguf(file, model.config);
    write_imported(model, {args.type, args.keep_quantized}, args.output_dir);
    return {.model_type = model.config.model_type,
            .num_parameters = ParameterTable(model.config).num_parameters()};
}
