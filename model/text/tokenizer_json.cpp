// tokenizer.json, and vocab.json with merges.txt.

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/pre_tokenizer_json.h"
#include "model/text/sentence_piece_json.h"
#include "model/text/tokenizer_files.h"
#include "model/text/vocabulary.h"

namespace {

using nlohmann::json;

const json& member(const json& object, const char* key) {
    static const json null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
}

bool is_sentence_piece(const json& model, const std::string& source) {
    return JsonObject(model, source).boolean_or("byte_fallback", false);
}

void read_model(const json& model, TokenizerFiles& files) {
    const std::string source = files.source + ": model";
    const JsonObject fields(model, source);
    const std::string type = fields.string_or("type", "BPE");
    ENSURE_INPUT(type == "BPE", source, "type: found \"{}\", expected \"BPE\"", type);
    ENSURE_INPUT(fields.number_or("dropout", 0.0) == 0.0, source,
                 "dropout: found {}, expected none: encoding would be random",
                 fields.number_or("dropout", 0.0));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        const std::string affix = fields.string_or(key, "");
        ENSURE_INPUT(affix.empty(), source, "{}: found \"{}\", expected none", key, affix);
    }
    files.ignore_merges = fields.boolean_or("ignore_merges", false);
    ENSURE_INPUT(!files.ignore_merges || !is_sentence_piece(model, source), source,
                 "ignore_merges: found true beside byte_fallback, expected false");
    files.ids = read_token_ids(member(model, "vocab"), source);
    files.merges = read_merges(member(model, "merges"), files.ids, source);
}

bool is_nfc(const json& normalizer, const std::string& source) {
    if (normalizer.is_null()) return false;
    const std::string type = JsonObject(normalizer, source).string("type");
    if (type == "NFC") return true;
    const json& steps = member(normalizer, "normalizers");
    const bool known = type == "Sequence" && steps.is_array() && steps.size() <= 1;
    ENSURE_INPUT(known, source, "found {}, expected NFC or none", excerpt(normalizer));
    return !steps.empty() && is_nfc(steps[0], source);
}

void read_added_tokens(const json& list, TokenizerFiles& files) {
    if (list.is_null()) return;
    const std::string source = files.source + ": added_tokens";
    ENSURE_INPUT(list.is_array(), source, "found {}, expected a list", excerpt(list));
    for (const json& entry : list) {
        const JsonObject fields(entry, source);
        AddedToken token{.content = fields.string("content"),
                         .single_word = fields.boolean_or("single_word", false),
                         .lstrip = fields.boolean_or("lstrip", false),
                         .rstrip = fields.boolean_or("rstrip", false),
                         .normalized = fields.boolean_or("normalized", false),
                         .special = fields.boolean_or("special", false)};
        token.id = checked_token_id(member(entry, "id"), token.content, source);
        const bool moves = files.sentence_piece && files.sentence_piece->in_normalizer;
        ENSURE_INPUT(!moves || !token.normalized || !(token.lstrip || token.rstrip), source,
                     "token \"{}\" is normalized and strips spaces, which the normalizer marks; "
                     "expected one of the two",
                     token.content);
        add_token(token, source, files);
    }
}

// {"<s>": {"ids": [1], ...}, ...}: the ids behind one name of a template.
void append_template_ids(const json& processor, const std::string& name, const std::string& source,
                         std::vector<int32_t>& out) {
    const json& entry = member(member(processor, "special_tokens"), name.c_str());
    const json& ids = member(entry, "ids");
    ENSURE_INPUT(ids.is_array(), source, "special_tokens: nothing found for \"{}\"", name);
    for (const json& id : ids) out.push_back(checked_token_id(id, name, source));
}

void read_template(const json& processor, const std::string& source, TokenizerFiles& files) {
    const json& single = member(processor, "single");
    ENSURE_INPUT(single.is_array(), source, "single: found {}, expected a list", excerpt(single));
    bool text_seen = false;
    for (const json& piece : single) {
        if (piece.contains("Sequence")) {
            ENSURE_INPUT(!text_seen, source, "single: the text appears twice");
            text_seen = true;
            continue;
        }
        const std::string name = JsonObject(piece, source).object("SpecialToken").string("id");
        append_template_ids(processor, name, source, text_seen ? files.suffix : files.prefix);
    }
    ENSURE_INPUT(text_seen, source, "single: the text does not appear");
}

void read_post_processor(const json& processor, TokenizerFiles& files) {
    if (processor.is_null()) return;
    const std::string source = files.source + ": post_processor";
    const std::string type = JsonObject(processor, source).string("type");
    if (type == "ByteLevel") return;  // it only trims offsets
    if (type == "TemplateProcessing") return read_template(processor, source, files);
    const json& steps = member(processor, "processors");
    ENSURE_INPUT(type == "Sequence" && steps.is_array(), source,
                 "found {}, expected ByteLevel or TemplateProcessing", excerpt(processor));
    for (const json& step : steps) {
        ENSURE_INPUT(member(step, "type") != "Sequence", source, "found a Sequence in a Sequence");
        read_post_processor(step, files);
    }
}

void check_decoder(const json& decoder, const std::string& source) {
    if (decoder.is_null()) return;
    const std::string type = JsonObject(decoder, source).string("type");
    ENSURE_INPUT(type == "ByteLevel", source, "found \"{}\", expected \"ByteLevel\"", type);
}

void read_byte_level(const json& document, TokenizerFiles& files) {
    files.pre_tokenizer =
        read_pre_tokenizer(member(document, "pre_tokenizer"), files.source + ": pre_tokenizer");
    files.normalize_nfc = is_nfc(member(document, "normalizer"), files.source + ": normalizer");
    check_decoder(member(document, "decoder"), files.source + ": decoder");
}

}  // namespace

void read_tokenizer_json(const std::filesystem::path& file, TokenizerFiles& files) {
    files.source = file.string();
    const json document = read_json_file(file);
    ENSURE_INPUT(document.is_object(), files.source, "found {}, expected an object",
                 excerpt(document));
    read_model(member(document, "model"), files);
    if (is_sentence_piece(member(document, "model"), files.source + ": model")) {
        files.sentence_piece = read_sentence_piece(document, files.source);
    } else {
        read_byte_level(document, files);
    }
    read_added_tokens(member(document, "added_tokens"), files);
    read_post_processor(member(document, "post_processor"), files);
}

void read_vocabulary_and_merges(const std::filesystem::path& vocabulary,
                                const std::filesystem::path& merges, TokenizerFiles& files) {
    files.source = vocabulary.string();
    files.ids = read_token_ids(read_json_file(vocabulary), files.source);
    files.merges = parse_merges(read_text_file(merges), files.ids, merges.string());
}
