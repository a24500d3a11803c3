// Tokenizers of GGUF and llama2.c on their way into Hugging Face's files.

#include "model/text/foreign_tokenizer.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/byte_alphabet.h"
#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_folder.h"

using nlohmann::json;

namespace {

using Kind = ForeignTokenizer::Kind;
using Role = ForeignTokenizer::Role;

const std::filesystem::path kLlama = "tests/golden/tokenizer/small_llama";
const std::filesystem::path kSmolLm2 = "tests/golden/tokenizer/smollm2";

// The golden SentencePiece vocabulary as a GGUF file holds it.
ForeignTokenizer small_llama() {
    ForeignTokenizer foreign;
    foreign.kind = Kind::sentence_piece;
    foreign.source = "model.gguf";
    foreign.scores = read_json_file(kLlama / "scores.json").get<std::vector<float>>();
    const json document = read_json_file(kLlama / "tokenizer.json");
    foreign.tokens.resize(foreign.scores.size());
    foreign.roles.assign(foreign.scores.size(), Role::normal);
    for (const auto& [token, id] : document["model"]["vocab"].items())
        foreign.tokens.at(id.get<size_t>()) = token;
    foreign.roles[0] = Role::unknown;
    foreign.roles[1] = foreign.roles[2] = Role::control;
    for (size_t id = 3; id < 3 + 256; ++id) foreign.roles[id] = Role::byte;
    foreign.unknown = 0;
    foreign.bos = 1;
    foreign.eos = 2;
    foreign.adds_bos = true;
    return foreign;
}

// The 256 bytes, "12", "ab", a control token and one that was added by a user.
ForeignTokenizer small_byte_level(const std::string& pre_tokenizer) {
    ForeignTokenizer foreign;
    foreign.source = "model.gguf";
    for (const uint8_t byte : bytes_in_alphabet_order())
        foreign.tokens.push_back(bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
    foreign.tokens.insert(foreign.tokens.end(), {"12", "ab", "<|end|>", "<user>"});
    foreign.roles.assign(258, Role::normal);
    foreign.roles.insert(foreign.roles.end(), {Role::control, Role::user_defined});
    foreign.merges = {"1 2", "a b"};
    foreign.pre_tokenizer = pre_tokenizer;
    foreign.eos = 258;
    return foreign;
}

std::string complaint(const ForeignTokenizer& foreign) {
    const TemporaryFolder folder;
    const std::string error = input_error([&] { write_tokenizer(foreign, folder.path()); });
    CHECK(!std::filesystem::exists(folder / "tokenizer.json") != error.empty());
    CHECK((error.empty() || error.starts_with("model.gguf: ")));
    return error;
}

ForeignTokenizer read_llama2c(const std::filesystem::path& file) {
    const std::string bytes = read_text_file(file);
    ForeignTokenizer foreign;
    foreign.kind = Kind::sentence_piece;
    foreign.source = file.string();
    for (size_t at = 4; at + 8 <= bytes.size();) {
        float score = 0;
        int32_t length = 0;
        std::memcpy(&score, &bytes[at], 4);
        std::memcpy(&length, &bytes[at + 4], 4);
        std::string token = bytes.substr(at + 8, static_cast<size_t>(length));
        at += 8 + static_cast<size_t>(length);
        for (size_t i; (i = token.find(' ')) != std::string::npos;) token.replace(i, 1, "\u2581");
        foreign.tokens.push_back(token);
        foreign.scores.push_back(score);
    }
    foreign.tokens.at(1) = "<s>";
    foreign.tokens.at(2) = "</s>";
    foreign.roles.assign(foreign.tokens.size(), Role::normal);
    foreign.roles[0] = Role::unknown;
    foreign.roles[1] = foreign.roles[2] = Role::control;
    foreign.bos = 1;
    foreign.eos = 2;
    foreign.adds_bos = true;
    return foreign;
}

// SmolLM2's vocabulary as far as the golden strings can touch it; the rest are names.
ForeignTokenizer smollm2() {
    const json vocabulary = read_json_file(kSmolLm2 / "vocabulary.json");
    ForeignTokenizer foreign;
    foreign.source = "smollm2.gguf";
    for (int i = 0; i < vocabulary["size"].get<int>(); ++i)
        foreign.tokens.push_back("[elsewhere" + std::to_string(i) + "]");
    for (const auto& [id, token] : vocabulary["tokens"].items())
        foreign.tokens.at(std::stoul(id)) = token;
    foreign.roles.assign(foreign.tokens.size(), Role::normal);
    for (const json& id : vocabulary["special"]) foreign.roles.at(id.get<size_t>()) = Role::control;
    foreign.merges = vocabulary["merges"].get<std::vector<std::string>>();
    foreign.pre_tokenizer = "smollm";
    foreign.bos = 1;
    foreign.eos = 2;
    return foreign;
}

}  // namespace

TEST_CASE("sentence piece: merges of scores are those of transformers, ties among them") {
    const TemporaryFolder folder;
    write_tokenizer(small_llama(), folder.path());
    const json written = read_json_file(folder / "tokenizer.json");
    const json golden = read_json_file(kLlama / "tokenizer.json");
    CHECK(written["model"] == golden["model"]);
    for (const char* part : {"normalizer", "pre_tokenizer", "decoder"})
        CHECK(written[part] == golden[part]);
    CHECK(written["post_processor"]["single"] == golden["post_processor"]["single"]);
    CHECK(written["added_tokens"].size() == 3);
}

TEST_CASE("sentence piece: what was written is read back") {
    ForeignTokenizer foreign = small_llama();
    foreign.roles[300] = Role::user_defined;
    foreign.chat_template = "{{ messages }}é";
    const TemporaryFolder folder;
    write_tokenizer(foreign, folder / "new");
    const Tokenizer tokenizer = Tokenizer::from_folder(folder / "new");
    REQUIRE(tokenizer.vocab_size() == static_cast<int32_t>(foreign.tokens.size()));
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
        CHECK(tokenizer.token_bytes(id) == token_to_bytes(foreign.tokens[static_cast<size_t>(id)]));
    CHECK(tokenizer.bos_id() == 1);
    CHECK(tokenizer.eos_id() == 2);
    CHECK(tokenizer.pad_id() == std::nullopt);
    CHECK(tokenizer.prefix_ids() == std::vector<int32_t>{1});
    CHECK(tokenizer.suffix_ids().empty());
    CHECK(tokenizer.is_special(0));
    CHECK_FALSE(tokenizer.is_special(300));
    CHECK(get(folder / "new" / "chat_template.jinja") == foreign.chat_template);
    const json config = read_json_file(folder / "new" / "tokenizer_config.json");
    CHECK(config["chat_template"] == foreign.chat_template);
    CHECK(config["unk_token"] == "<unk>");
    CHECK(config["add_bos_token"] == true);
}

TEST_CASE("sentence piece: without a prefix space nothing is put in front or left out") {
    ForeignTokenizer foreign = small_llama();
    foreign.adds_space_prefix = foreign.adds_bos = false;
    const TemporaryFolder folder;
    write_tokenizer(foreign, folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    CHECK(tokenizer.decode(tokenizer.encode(" the man")) == " the man");
    CHECK(tokenizer.token_bytes(tokenizer.encode("the").at(0))[0] == 't');
    CHECK(tokenizer.prefix_ids().empty());
}

TEST_CASE("llama2.c: golden tokens decode to the golden text, which encodes to them") {
    const auto file = shared_data("stories260k/tok512.bin");
    if (!file) return;
    const TemporaryFolder folder;
    write_tokenizer(read_llama2c(*file), folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    const std::string bytes = get(*shared_data("stories260k/golden_tokens.i32"));
    std::vector<int32_t> ids(bytes.size() / 4);
    std::memcpy(ids.data(), bytes.data(), bytes.size());
    REQUIRE(ids.size() == 257);
    ids.resize(1 + 200);  // BOS, then what 200 steps print
    const std::string decoded = tokenizer.decode(ids, /*skip_special=*/true);
    CHECK(decoded == get(*shared_data("stories260k/golden_greedy_200steps.txt")));
    const auto again = tokenizer.encode(decoded);
    CHECK(std::vector<int32_t>(ids.begin() + 1, ids.end()) == again);
}

TEST_CASE("smollm2: 120 mixed strings give the ids of llama.cpp and Hugging Face") {
    const TemporaryFolder folder;
    write_tokenizer(smollm2(), folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    std::istringstream lines(read_text_file(kSmolLm2 / "cases.jsonl"));
    int cases = 0;
    for (std::string line; std::getline(lines, line); ++cases) {
        const json one = parse_json(line, "cases.jsonl");
        const auto text = one["text"].get<std::string>();
        CHECK_MESSAGE(tokenizer.encode(text) == one["ids"].get<std::vector<int32_t>>(), text);
        CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
    }
    CHECK(cases == 120);
}

TEST_CASE("smollm2: bytes without a token are dropped as Hugging Face drops them, and told") {
    const TemporaryFolder folder;
    write_tokenizer(smollm2(), folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    std::istringstream lines(read_text_file(kSmolLm2 / "missing.jsonl"));
    int cases = 0;
    for (std::string line; std::getline(lines, line); ++cases) {
        const json one = parse_json(line, "missing.jsonl");
        const auto text = one["text"].get<std::string>();
        const auto ids = tokenizer.encode(text);
        CHECK_MESSAGE(ids == one["ids"].get<std::vector<int32_t>>(), text);
        CHECK(tokenizer.decode(ids).size() == text.size() - one["dropped"].get<size_t>());
    }
    CHECK(cases == 16);
    const std::string note = tokenizer.dropped_text();
    CHECK(contains(note, "no token for 0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xF1, 0xF2: such"));
    tokenizer.encode("\xFF");  // no UTF-8, so Hugging Face cannot be asked
    CHECK(contains(tokenizer.dropped_text(), ", 0xFF: such"));
}

// scripts/check_gguf_names.py asks llama.cpp whether it cuts so under these names.
TEST_CASE("byte level: GGUF's names give the published cuts, letter for letter") {
    const std::pair<const char*, std::vector<const char*>> names[] = {
        {"small_gpt2", {"gpt-2", "phi-2"}},
        {"small_smollm", {"smollm", "starcoder", "refact"}},
        {"small_llama3", {"llama-bpe", "llama3", "llama-v3"}},
        {"small_qwen", {"qwen2", "deepseek-r1-qwen"}}};
    for (const auto& [published, same] : names) {
        const json golden = read_json_file(kLlama.parent_path() / published / "tokenizer.json");
        for (const char* name : same) {
            CAPTURE(name);
            const TemporaryFolder folder;
            write_tokenizer(small_byte_level(name), folder.path());
            const json written = read_json_file(folder / "tokenizer.json");
            for (const char* part : {"pre_tokenizer", "normalizer"})
                CHECK(written[part] == golden[part]);
            CHECK(written["model"]["ignore_merges"] == golden["model"]["ignore_merges"]);
        }
    }
}

TEST_CASE("byte level: GGUF's names give the published cuts") {
    struct Named {
        const char* name;
        std::vector<std::string> pieces_of_123;
    };
    for (const auto& [name, pieces] : {Named{"gpt-2", {"12", "3"}},
                                       {"smollm", {"1", "2", "3"}},
                                       {"llama-bpe", {"12", "3"}},
                                       {"qwen2", {"1", "2", "3"}}}) {
        const TemporaryFolder folder;
        write_tokenizer(small_byte_level(name), folder.path());
        const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
        std::vector<std::string> tokens;
        for (const int32_t id : tokenizer.encode("123"))
            tokens.push_back(tokenizer.token_bytes(id));
        CHECK(tokens == pieces);
        CHECK(tokenizer.encode("<|end|>ab<user>") == std::vector<int32_t>{258, 257, 259});
        CHECK(tokenizer.is_special(258));
        CHECK_FALSE(tokenizer.is_special(259));
        CHECK(tokenizer.eos_id() == 258);
        CHECK(tokenizer.decode(tokenizer.encode("é \xFF\n")) == "é \xFF\n");
    }
}

TEST_CASE("byte level: BOS in front, padding and unknown tokens only if they are set apart") {
    ForeignTokenizer foreign = small_byte_level("llama-bpe");
    foreign.bos = foreign.pad = 258;
    foreign.unknown = 0;  // "!", as files without one have it
    foreign.adds_bos = true;
    const TemporaryFolder folder;
    write_tokenizer(foreign, folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    CHECK(tokenizer.prefix_ids() == std::vector<int32_t>{258});
    CHECK(tokenizer.pad_id() == 258);
    CHECK_FALSE(tokenizer.is_special(0));
    CHECK_FALSE(read_json_file(folder / "tokenizer_config.json").contains("unk_token"));
}

TEST_CASE("write_tokenizer: what makes no tokenizer is refused, and nothing is written") {
    CHECK(complaint(small_llama()) == "");
    const auto llama_with = [](auto change) {
        ForeignTokenizer foreign = small_llama();
        change(foreign);
        return complaint(foreign);
    };
    CHECK(contains(llama_with([](auto& f) { f.tokens[7] = f.tokens[8]; }), "tokens 7 and 8 are"));
    CHECK(contains(llama_with([](auto& f) { f.tokens[300] = ""; }), "token 300 is empty"));
    CHECK(contains(llama_with([](auto& f) { f.tokens[300] = "\xFF\xFE"; }), "not UTF-8"));
    CHECK(contains(llama_with([](auto& f) { f.tokens[300].assign(5000, 'x'); }), "5000 bytes"));
    CHECK(contains(llama_with([](auto& f) { f.tokens[5] = "five"; }), "no token \"<0x02>\""));
    CHECK(contains(llama_with([](auto& f) { f.scores.pop_back(); }), "scores of tokens"));
    CHECK(contains(llama_with([](auto& f) { f.scores[9] = NAN; }), "token 9: found score nan"));
    CHECK(contains(llama_with([](auto& f) { f.roles.pop_back(); }), "roles of tokens"));
    CHECK(contains(llama_with([](auto& f) { f.roles[9] = Role(77); }), "found role 77"));
    CHECK(contains(llama_with([](auto& f) { f.bos = 600; }), "BOS: found token 600"));
    CHECK(contains(llama_with([](auto& f) { f.eos = -1; }), "EOS: found token -1"));
    CHECK(contains(llama_with([](auto& f) { f.bos.reset(); }), "no token is named as BOS"));
    CHECK(contains(llama_with([](auto& f) { f.chat_template = "\xC3("; }), "chat template"));
    CHECK(contains(llama_with([](auto& f) { f.tokens.clear(); }), "found 0 tokens"));

    CHECK(contains(complaint(small_byte_level("dbrx")), "pre-tokenizer: found \"dbrx\", expected"));
    ForeignTokenizer foreign = small_byte_level("gpt-2");
    foreign.merges.push_back("a zz");
    CHECK(contains(complaint(foreign), "merge 2: right token \"zz\""));
    foreign.merges.back() = "a";
    CHECK(contains(complaint(foreign), "expected two tokens"));
}
