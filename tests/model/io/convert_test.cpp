// bin/export convert: the same model in another type, in a folder that appears whole or not at all.

#include "model/io/convert.h"

#include "model/io/hugging_face.h"
#include "model/io/safetensors.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path kModel = "tests/golden/models/qwen2";

std::string weights_of(const fs::path& folder) { return get(folder / "model.safetensors"); }

}  // namespace

TEST_CASE("convert_model: fp32 to fp32 is the same file, bf16 and fp16 are each rounded once") {
    const TemporaryFolder folder;
    convert_model({.model = kModel.string(), .output_dir = folder / "same"});
    CHECK(weights_of(folder / "same") == weights_of(kModel));
    for (const TensorType type : {TensorType::bf16, TensorType::f16}) {
        const std::string name = torch_name(type);
        const Converted converted =
            convert_model({.model = kModel.string(), .output_dir = folder / name, .type = type});
        CHECK(converted.from == TensorType::f32);
        const SafetensorsFile before(kModel / "model.safetensors");
        const SafetensorsFile after((folder / name) / "model.safetensors");
        REQUIRE(before.tensors().size() == after.tensors().size());
        for (const StoredTensor& tensor : before.tensors()) {
            std::vector<float> values(static_cast<size_t>(tensor.count));
            read_elements(tensor.bytes.data(), tensor.type, std::span(values));
            std::vector<std::byte> rounded(static_cast<size_t>(2 * tensor.count));
            write_elements(std::span<const float>(values), type, rounded.data());
            const StoredTensor* written = after.find(tensor.name);
            REQUIRE(written != nullptr);
            CHECK(std::equal(rounded.begin(), rounded.end(), written->bytes.begin(),
                             written->bytes.end()));
        }
    }
}

TEST_CASE("convert_model: bf16 to fp32 and back changes no byte") {
    const TemporaryFolder folder;
    const auto convert = [&](const fs::path& from, const char* to, TensorType type) {
        convert_model({.model = from.string(), .output_dir = folder / to, .type = type});
    };
    convert(kModel, "bf16", TensorType::bf16);
    convert(folder / "bf16", "fp32", TensorType::f32);
    convert(folder / "fp32", "again", TensorType::bf16);
    CHECK(weights_of(folder / "again") == weights_of(folder / "bf16"));
    CHECK(get(folder / "again/config.json") == get(folder / "bf16/config.json"));
}

TEST_CASE("convert_model: the model's own folder and one that holds something are refused") {
    const TemporaryFolder folder;
    fs::copy(kModel, folder / "m");
    fs::create_directory_symlink(folder / "m", folder / "link");
    fs::create_directories(folder / "full");
    put(folder / "full/notes.txt", "x");
    const auto complaint = [&](const char* to) {
        return input_error(
            [&] { convert_model({.model = (folder / "m").string(), .output_dir = folder / to}); });
    };
    for (const char* inside : {"m", "m/", "link", "m/sub", "link/sub/../sub"})
        CHECK(contains(complaint(inside), "--output_dir: found"));
    CHECK(contains(complaint("full"), "full: exists, expected no such folder or an empty one"));
    CHECK(weights_of(folder / "m") == weights_of(kModel));
    CHECK(complaint("m2") == "");  // a name that merely starts alike
}

TEST_CASE("convert_model: a broken model leaves no output behind") {
    const TemporaryFolder folder;
    fs::copy(kModel, folder / "m");
    put(folder / "m/model.safetensors", weights_of(kModel).substr(0, 5000));
    CHECK(contains(input_error([&] {
                       convert_model(
                           {.model = (folder / "m").string(), .output_dir = folder / "o"});
                   }),
                   "m/model.safetensors"));
    CHECK_FALSE(fs::exists(folder / "o"));
    CHECK_FALSE(fs::exists(folder / "o.partial"));
}
