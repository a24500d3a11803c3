// Model folders: read, written and read again without a changed bit; spoilt ones refused by name.

#include "model/io/hugging_face.h"

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/safetensors.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path kModels = "tests/golden/models";
const std::vector<std::string> kFolders = {"gpt2", "llama", "smollm", "qwen2", "qwen3", "mistral"};

// A model in memory.
template <typename T>
struct Loaded {
    ModelFolder folder;
    ParameterTable table;
    ParameterStore<T> store;

    explicit Loaded(const fs::path& path, bool masters = false)
        : folder(open_model_folder(path)), table(folder.config), store(table) {
        store.allocate(Role::weight);
        if (masters) store.allocate(Role::master);
        load_weights(folder, store);
    }
};

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::string complaint(const fs::path& folder) {
    return input_error([&] { Loaded<float> model(folder); });
}

// A copy of a fixture whose tensors pass through `edit` before they are written.
using Tensors = std::vector<TensorToWrite>;
template <typename Edit>
void write_edited(const fs::path& to, const std::string& fixture, Edit edit) {
    const SafetensorsFile file(kModels / fixture / "model.safetensors");
    Tensors tensors;
    for (const StoredTensor& tensor : file.tensors()) {
        const auto fill = [bytes = tensor.bytes](int64_t first, std::span<std::byte> out) {
            std::memcpy(out.data(), bytes.data() + 4 * first, out.size());
        };
        tensors.push_back(
            {.name = tensor.name, .type = tensor.type, .shape = tensor.shape, .fill = fill});
    }
    edit(tensors);
    fs::create_directories(to);
    write_safetensors(to / "model.safetensors", std::move(tensors));
    put(to / "config.json", get(kModels / fixture / "config.json"));
}

TensorToWrite& named(Tensors& tensors, const std::string& name) {
    for (TensorToWrite& tensor : tensors)
        if (tensor.name == name) return tensor;
    throw Error("no tensor named " + name);
}

void remove(Tensors& tensors, const std::string& name) {
    std::erase_if(tensors, [&](const TensorToWrite& tensor) { return tensor.name == name; });
}

TensorToWrite filled(const std::string& name, std::vector<int64_t> shape, float value) {
    return {.name = name,
            .type = TensorType::f32,
            .shape = std::move(shape),
            .fill = [=](int64_t, std::span<std::byte> out) {
                for (size_t i = 0; i < out.size(); i += 4) std::memcpy(out.data() + i, &value, 4);
            }};
}

}  // namespace

TEST_CASE("load and save: what transformers wrote comes out byte for byte") {
    for (const std::string& fixture : kFolders) {
        CAPTURE(fixture);
        const TemporaryFolder folder;
        const Loaded<float> model(kModels / fixture);
        save_model(model.folder.config, model.store,
                   {.folder = folder / "out", .type = TensorType::f32, .tokenizer_from = {}});
        CHECK(get(folder / "out/model.safetensors") ==
              get(kModels / fixture / "model.safetensors"));
        CHECK(nlohmann::json::parse(get(folder / "out/config.json")) ==
              nlohmann::json::parse(get(kModels / fixture / "config.json")));
    }
}

TEST_CASE("load_weights: every element is the file's, in every type that computes") {
    const SafetensorsFile file(kModels / "llama" / "model.safetensors");
    const Loaded<float> single(kModels / "llama");
    const Loaded<double> wide(kModels / "llama");
    const Loaded<bf16> narrow(kModels / "llama", /*masters=*/true);
    for (const StoredTensor& tensor : file.tensors()) {
        const int index = single.table.index_of(tensor.name);
        for (int64_t i = 0; i < tensor.count; ++i) {
            float stored = 0;
            std::memcpy(&stored, tensor.bytes.data() + 4 * i, 4);
            REQUIRE(single.store.weight(index)[i] == stored);
            REQUIRE(wide.store.weight(index)[i] == stored);
            REQUIRE(narrow.store.weight(index)[i].bits == bf16(stored).bits);
            REQUIRE(narrow.store.at(Role::master, index)[i] == stored);
        }
    }
}

TEST_CASE("save_model: a bf16 folder read into fp32 and written as bf16 keeps every bit") {
    const TemporaryFolder folder;
    const Loaded<float> model(kModels / "gpt2");
    save_model(model.folder.config, model.store,
               {.folder = folder / "a", .type = TensorType::bf16, .tokenizer_from = {}});
    CHECK(stored_type(open_model_folder(folder / "a")) == TensorType::bf16);
    const Loaded<float> wide(folder / "a");
    save_model(wide.folder.config, wide.store,
               {.folder = folder / "b", .type = TensorType::bf16, .tokenizer_from = {}});
    const Loaded<bf16> narrow(folder / "a");
    save_model(narrow.folder.config, narrow.store,
               {.folder = folder / "c", .type = TensorType::bf16, .tokenizer_from = {}});
    for (const char* other : {"b", "c"}) {
        CHECK(get(folder / "a/model.safetensors") ==
              get(folder / (std::string(other) + "/model.safetensors")));
        CHECK(get(folder / "a/config.json") == get(folder / (std::string(other) + "/config.json")));
    }
}

TEST_CASE("save_model: masters, where there are any, are what is saved") {
    const TemporaryFolder folder;
    const Loaded<bf16> model(kModels / "gpt2", /*masters=*/true);
    save_model(model.folder.config, model.store,
               {.folder = folder / "out", .type = TensorType::f32, .tokenizer_from = {}});
    CHECK(get(folder / "out/model.safetensors") == get(kModels / "gpt2/model.safetensors"));
}

TEST_CASE("save_model: parts and their index hold the same model as one file") {
    const TemporaryFolder folder;
    const Loaded<float> model(kModels / "llama");
    save_model(model.folder.config, model.store,
               {.folder = folder / "out", .tokenizer_from = {}, .max_shard_bytes = 20'000});
    CHECK_FALSE(fs::exists(folder / "out/model.safetensors"));
    const Loaded<float> again(folder / "out");
    CHECK(again.folder.weight_files.size() == 5);
    CHECK(same_bits(model.store.weights(), again.store.weights()));
    const auto index = nlohmann::json::parse(get(folder / "out/model.safetensors.index.json"));
    CHECK(index["weight_map"].size() == static_cast<size_t>(model.table.size()));
    CHECK(index["metadata"]["total_size"] == 4 * model.table.num_parameters());
}

TEST_CASE("load_weights: names without the base model's prefix mean the same tensors") {
    for (const std::string fixture : {"gpt2", "llama"}) {
        CAPTURE(fixture);
        const std::string prefix = fixture == "gpt2" ? "transformer." : "model.";
        const TemporaryFolder folder;
        write_edited(folder / "m", fixture, [&](Tensors& tensors) {
            for (TensorToWrite& tensor : tensors)
                if (tensor.name.starts_with(prefix)) tensor.name.erase(0, prefix.size());
        });
        CHECK(same_bits(Loaded<float>(folder / "m").store.weights(),
                        Loaded<float>(kModels / fixture).store.weights()));
    }
}

TEST_CASE("load_weights: buffers that are no weights are ignored, whatever their type") {
    const TemporaryFolder folder;
    write_edited(folder / "m", "gpt2", [](Tensors& tensors) {
        tensors.push_back(filled("transformer.h.0.attn.bias", {1, 1, 37, 37}, 1));
        tensors.push_back(filled("h.1.attn.masked_bias", {}, -1e4f));
        tensors.back().type = TensorType::u32;
    });
    CHECK(complaint(folder / "m") == "");
}

TEST_CASE("load_weights: a tied head may be repeated or stand for the embedding, not contradict") {
    const TemporaryFolder folder;
    write_edited(folder / "same", "gpt2", [](Tensors& tensors) {
        TensorToWrite head = named(tensors, "transformer.wte.weight");
        head.name = "lm_head.weight";
        tensors.push_back(std::move(head));
    });
    write_edited(folder / "alone", "gpt2", [](Tensors& tensors) {
        named(tensors, "transformer.wte.weight").name = "lm_head.weight";
    });
    write_edited(folder / "other", "gpt2", [](Tensors& tensors) {
        tensors.push_back(filled("lm_head.weight", {97, 30}, 0.5f));
    });
    const Loaded<float> original(kModels / "gpt2");
    for (const char* name : {"same", "alone"})
        CHECK(same_bits(Loaded<float>(folder / name).store.weights(), original.store.weights()));
    CHECK(contains(complaint(folder / "other"),
                   "tensor lm_head.weight: differs from transformer.wte.weight"));
}

TEST_CASE("load_weights: missing, unexpected, misshapen and mistyped tensors are named") {
    const TemporaryFolder folder;
    const auto spoilt = [&](auto edit) {
        fs::remove_all(folder / "m");
        write_edited(folder / "m", "gpt2", edit);
        return complaint(folder / "m");
    };
    CHECK(contains(spoilt([](Tensors& t) { remove(t, "transformer.h.1.ln_2.bias"); }),
                   "model.safetensors: tensor transformer.h.1.ln_2.bias is missing (1 of the 29"));
    CHECK(contains(spoilt([](Tensors& t) {
                       t.push_back(filled("score.weight", {2, 30}, 0));
                   }),
                   "model.safetensors: tensor score.weight: is not part of the model"));
    CHECK(contains(
        spoilt([](Tensors& t) {
            named(t, "transformer.wpe.weight") = filled("transformer.wpe.weight", {38, 30}, 0);
        }),
        "tensor transformer.wpe.weight: found shape [38, 30], expected [37, 30]"));
    CHECK(contains(
        spoilt([](Tensors& t) { named(t, "transformer.wpe.weight").type = TensorType::i32; }),
        "found type I32, expected F32, BF16, F16 or F64"));
    CHECK(contains(spoilt([](Tensors& t) {
                       t.push_back(filled("wte.weight", {97, 30}, 0));
                   }),
                   "is also in"));
}

TEST_CASE("load_weights: NaN and infinite weights are refused by tensor and element") {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
        const TemporaryFolder folder;
        write_edited(folder / "m", "gpt2", [&](Tensors& tensors) {
            TensorToWrite& tensor = named(tensors, "transformer.h.1.mlp.c_fc.bias");
            tensor.fill = [bad](int64_t, std::span<std::byte> out) {
                std::memset(out.data(), 0, out.size());
                std::memcpy(out.data() + 4 * 17, &bad, 4);
            };
        });
        CHECK(contains(complaint(folder / "m"),
                       "tensor transformer.h.1.mlp.c_fc.bias: element 17 is"));
    }
}

TEST_CASE("conversion: a finite weight that becomes infinite is refused, reading and writing") {
    const TemporaryFolder folder;
    write_edited(folder / "m", "gpt2", [](Tensors& tensors) {
        named(tensors, "transformer.ln_f.weight") = filled("transformer.ln_f.weight", {30}, 70000);
        named(tensors, "transformer.ln_f.bias") =
            filled("transformer.ln_f.bias", {30}, std::numeric_limits<float>::max());
    });
    const Loaded<float> model(folder / "m");
    const auto save = [&](TensorType type) {
        return input_error([&] {
            save_model(model.folder.config, model.store,
                       {.folder = folder / "out", .type = type, .tokenizer_from = {}});
        });
    };
    CHECK(contains(save(TensorType::f16), "is beyond the range of float16"));
    CHECK(contains(save(TensorType::bf16), "is beyond the range of bfloat16"));
    CHECK_FALSE(fs::exists(folder / "out/config.json"));
    CHECK(contains(input_error([&] { Loaded<bf16> narrow(folder / "m"); }),
                   "that its type in memory can hold"));
}

TEST_CASE("open_model_folder: an index that lies is refused") {
    const TemporaryFolder folder;
    const Loaded<float> model(kModels / "llama");
    save_model(model.folder.config, model.store,
               {.folder = folder.path(), .tokenizer_from = {}, .max_shard_bytes = 20'000});
    const fs::path path = folder / "model.safetensors.index.json";
    const auto index = nlohmann::json::parse(get(path));
    const auto with_entry = [&](const std::string& tensor, const nlohmann::json& part) {
        auto changed = index;
        changed["weight_map"][tensor] = part;
        put(path, changed.dump());
        return complaint(folder.path());
    };
    CHECK(contains(with_entry("model.norm.weight", "../elsewhere"), "expected a file name"));
    CHECK(contains(with_entry("model.norm.weight", ".."), "expected a file name"));
    CHECK(contains(with_entry("model.norm.weight", 3), "expected a file name"));
    CHECK(contains(with_entry("model.norm.weight", ""), "expected a file name"));
    CHECK(contains(with_entry("model.extra", index["weight_map"]["model.norm.weight"]),
                   "weight_map: model.extra: found no such tensor"));
    CHECK(contains(with_entry("model.extra", "none"), "none: cannot be opened"));
    CHECK(contains(with_entry("model.embed_tokens.weight", index["weight_map"]["lm_head.weight"]),
                   "tensor model.embed_tokens.weight is not listed for this file"));
    CHECK(with_entry("model.norm.weight", index["weight_map"]["model.norm.weight"]) == "");
    put(path, "{}");
    CHECK(contains(complaint(folder.path()), "weight_map: missing"));
    put(path, R"({"weight_map": {}})");
    CHECK(contains(complaint(folder.path()), "names no file"));
}

TEST_CASE(
    "open_model_folder: a config of other sizes than the tensors' is refused, however large") {
    const TemporaryFolder folder;
    fs::copy(kModels / "llama", folder.path());
    auto config = nlohmann::json::parse(get(folder / "config.json"));
    config["num_hidden_layers"] = 4096;
    config["intermediate_size"] = 1 << 20;
    put(folder / "config.json", config.dump());
    CHECK(contains(input_error([&] { open_model_folder(folder.path()); }),
                   "model.safetensors: tensor model.layers.0.mlp"));
}

TEST_CASE("open_model_folder: what is missing is named") {
    const TemporaryFolder folder;
    CHECK(contains(complaint(folder / "none"), "none: is not a folder"));
    CHECK(contains(complaint(folder.path()), "config.json: cannot be opened"));
    put(folder / "config.json", get(kModels / "gpt2/config.json"));
    CHECK(contains(complaint(folder.path()), "found neither model.safetensors nor"));
    put(folder / "pytorch_model.bin", "x");
    CHECK(contains(complaint(folder.path()), "found pytorch_model.bin, expected"));
}

TEST_CASE("resolve_model: a folder, a name in the local cache, or how to fetch it") {
    const TemporaryFolder folder;
    const fs::path model = folder / "models--org--tiny";
    fs::create_directories(model / "snapshots/abc");
    fs::create_directories(model / "snapshots/def");
    fs::create_directories(model / "refs");
    put(model / "refs/main", "def\n");
    setenv("HF_HUB_CACHE", folder.path().c_str(), 1);
    CHECK(resolve_model(folder.path().string(), "--model") == folder.path());
    CHECK(resolve_model("org/tiny", "--model") == model / "snapshots/def");
    fs::remove_all(model / "refs");
    CHECK(contains(input_error([] { resolve_model("org/tiny", "--model"); }), "--model: found"));
    fs::remove_all(model / "snapshots/def");
    CHECK(resolve_model("org/tiny", "--model") == model / "snapshots/abc");
    CHECK(contains(input_error([] { resolve_model("org/large", "--model"); }),
                   "fetch it with: hf download org/large"));
    CHECK(contains(input_error([] { resolve_model("a/b/c", "--model"); }),
                   "--model: found \"a/b/c\", expected a model folder"));
    unsetenv("HF_HUB_CACHE");
}

TEST_CASE("copy_tokenizer_files: byte for byte, through links, and nothing else") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "in");
    fs::create_directories(folder / "out");
    const std::string odd("{\"a\": \"\xff\r\n\"}\0x", 15);
    put(folder / "blob", odd);
    fs::create_symlink(folder / "blob", folder / "in/tokenizer.json");
    put(folder / "in/chat_template.jinja", "{{ x }}");
    put(folder / "in/secret.txt", "x");
    copy_tokenizer_files(folder / "in", folder / "out");
    CHECK(get(folder / "out/tokenizer.json") == odd);
    CHECK_FALSE(fs::is_symlink(folder / "out/tokenizer.json"));
    CHECK(get(folder / "out/chat_template.jinja") == "{{ x }}");
    CHECK_FALSE(fs::exists(folder / "out/secret.txt"));
    copy_tokenizer_files(folder / "out", folder / "out");
    CHECK(get(folder / "out/tokenizer.json") == odd);
}
