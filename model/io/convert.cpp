#include "model/io/convert.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/hugging_face.h"

namespace {

namespace fs = std::filesystem;

// True if `path` is `folder` or lies in it, links resolved.
bool is_within(const fs::path& path, const fs::path& folder) {
    const fs::path inner = fs::weakly_canonical(path), outer = fs::weakly_canonical(folder);
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first ==
           outer.end();
}

}  // namespace

Converted convert_model(const ConvertModel& args) {
    const fs::path source = resolve_model(args.model, "--model");
    ENSURE_INPUT(!is_within(args.output_dir, source), "--output_dir",
                 "found {}, expected a folder outside of --model ({})", args.output_dir.string(),
                 source.string());
    const ModelFolder folder = open_model_folder(source);
    AtomicFolder output(args.output_dir);  // refuses one that holds something

    // fp32 holds every bf16 and half exactly, so that nothing is rounded twice.
    const ParameterTable table(folder.config);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    load_weights(folder, store);
    save_model(folder.config, store,
               {.folder = output.path(), .type = args.type, .tokenizer_from = source});
    output.commit();
    return {.num_parameters = table.num_parameters(), .from = stored_type(folder)};
}
