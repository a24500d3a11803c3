// Random weights: the distributions that the table names, and what they depend on.

#include "model/initialize.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

ModelConfig small_gpt2() {
    ModelConfig config = *preset_config("gpt2");
    config.vocab_size = 1001;
    config.num_layers = 2;
    config.hidden = 64;
    config.num_heads = config.num_kv_heads = 4;
    config.head_dim = 16;
    config.intermediate = 256;
    config.max_positions = 128;
    return config;
}

template <typename T>
struct Model {
    ParameterTable table{small_gpt2()};
    ParameterStore<T> store{table};
    explicit Model(uint64_t seed, bool master = false) {
        store.allocate(Role::weight);
        if (master) store.allocate(Role::master);
        initialize(store, seed);
    }
    std::vector<T> weights() const {
        return {std::as_const(store).weights().begin(), std::as_const(store).weights().end()};
    }
    std::vector<double> values(const std::string& name) const {
        const int p = table.index_of(name);
        const T* from = store.weight(p);
        return {from, from + table[p].count};
    }
};

// Four standard errors of what n independent normal numbers give.
void check_normal(const std::vector<double>& x, double deviation) {
    const auto n = static_cast<double>(x.size());
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    double squares = 0.0, neighbours = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
        squares += x[i] * x[i];
        if (i > 0) neighbours += x[i] * x[i - 1];
    }
    CHECK(std::abs(mean) <= 4.0 * deviation / std::sqrt(n));
    CHECK(std::abs(std::sqrt(squares / n) / deviation - 1.0) <= 4.0 / std::sqrt(2.0 * n));
    CHECK(std::abs(neighbours / n) <= 4.0 * deviation * deviation / std::sqrt(n));
    const double share = 0.0455003;  // of a normal distribution beyond two deviations
    const auto beyond = static_cast<double>(
        std::count_if(x.begin(), x.end(), [&](double v) { return std::abs(v) > 2.0 * deviation; }));
    CHECK(std::abs(beyond / n - share) <= 4.0 * std::sqrt(share * (1.0 - share) / n));
}

}  // namespace

TEST_CASE("initialize: weights are normal, residual projections narrower, norms 1, biases 0") {
    const Model<double> model(/*seed=*/7);
    check_normal(model.values("transformer.wte.weight"), 0.02);
    check_normal(model.values("transformer.wpe.weight"), 0.02);
    check_normal(model.values("transformer.h.0.attn.c_attn.weight"), 0.02);
    check_normal(model.values("transformer.h.1.mlp.c_fc.weight"), 0.02);
    check_normal(model.values("transformer.h.0.attn.c_proj.weight"), 0.01);  // 0.02 / sqrt(2 * 2)
    check_normal(model.values("transformer.h.1.mlp.c_proj.weight"), 0.01);
    CHECK(model.values("transformer.h.1.ln_2.weight") == std::vector<double>(64, 1.0));
    CHECK(model.values("transformer.ln_f.bias") == std::vector<double>(64, 0.0));
    CHECK(model.values("transformer.h.0.attn.c_attn.bias") == std::vector<double>(192, 0.0));
}

TEST_CASE("initialize: parameters of the same shape differ") {
    const Model<double> model(/*seed=*/7);
    CHECK(model.values("transformer.h.0.mlp.c_fc.weight") !=
          model.values("transformer.h.1.mlp.c_fc.weight"));
}

TEST_CASE("initialize: depends on all 64 bits of the seed and not on the number of threads") {
    const auto one = with_threads(1, [] { return Model<float>(7).weights(); });
    const auto two = with_threads(2, [] { return Model<float>(7).weights(); });
    CHECK(same_bits(one, two));
    CHECK(!same_bits(one, Model<float>(8).weights()));
    CHECK(!same_bits(one, Model<float>(7 + (uint64_t{1} << 32)).weights()));
}

TEST_CASE("initialize: a bf16 model is the fp32 one rounded, and its masters are that one") {
    Model<bf16> model(7, /*master=*/true);
    const auto exact = Model<float>(7).weights();
    const auto masters = model.store.all(Role::master);
    CHECK(same_bits(exact, {masters.begin(), masters.end()}));
    CHECK(same_bits(model.weights(), converted<bf16>(exact)));
}
