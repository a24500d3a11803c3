// A tokenizer's folder: tokenizer.json, or vocab.json and merges.txt, and what stands beside them.
// A file "text" is what it shall encode.

#include "model/text/chat_template.h"
#include "model/text/tokenizer.h"
#include "tests/fuzz/target.h"

namespace {

void run(std::string_view input) {
    static const TemporaryFolder folder;
    put_files(input, folder.path());
    const auto text = folder / "text";
    const std::string own = std::filesystem::exists(text) ? get(text) : "";
    accepted([&] { use_tokenizer(Tokenizer::from_folder(folder.path()), own); });
    accepted([&] { ChatTemplate::of_folder(folder.path()); });
}

const bool kAdded = add_fuzz_target("tokenizer", run);

}  // namespace
