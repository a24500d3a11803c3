// config.json: what is read can be written, and what is written reads the same.

#include "model/config.h"
#include "model/parameters.h"
#include "tests/fuzz/target.h"

namespace {

void run(std::string_view input) {
    ModelConfig config;
    if (!accepted([&] { config = config_from_json(input, "config.json"); })) return;
    const std::string written = config_to_json(config, TensorType::f32);
    ModelConfig again = config_from_json(written, "what was written");
    again.raw_json = config.raw_json;
    ENSURE(again == config, "what was written reads otherwise: {}", written);
    if (config.num_layers > 100) return;  // the table of more takes its time
    const ParameterTable table(config);
    ENSURE(table.num_parameters() > 0 && table.total_elements() >= table.num_parameters(),
           "{} parameters in {} elements", table.num_parameters(), table.total_elements());
}

const bool kAdded = add_fuzz_target("config", run);

}  // namespace
