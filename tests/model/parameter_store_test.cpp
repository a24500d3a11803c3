// The memory behind the table: roles on request, zeroed, aligned, addressed by the same offsets.

#include "model/parameter_store.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

ParameterTable tiny_table() {
    return ParameterTable(read_config("tests/golden/models/qwen2/config.json"));
}

template <typename T>
void check_store() {
    const ParameterTable table = tiny_table();
    ParameterStore<T> store(table);
    CHECK(store.bytes() == 0);
    store.allocate(Role::weight);
    store.allocate(Role::gradient);
    const auto elements = static_cast<size_t>(table.total_elements());
    REQUIRE(store.weights().size() == elements);
    REQUIRE(store.all(Role::gradient).size() == elements);
    CHECK(store.bytes() ==
          table.total_elements() * static_cast<int64_t>(sizeof(T) + sizeof(Accumulator<T>)));
    CHECK(reinterpret_cast<uintptr_t>(store.weights().data()) % 64 == 0);
    CHECK(reinterpret_cast<uintptr_t>(store.all(Role::gradient).data()) % 64 == 0);
    for (const T value : store.weights()) REQUIRE(static_cast<double>(value) == 0.0);
    for (const auto value : store.all(Role::gradient)) REQUIRE(value == 0);
}

}  // namespace

TEST_CASE("ParameterStore: buffers are zeroed, aligned and as long as the table says") {
    check_store<float>();
    check_store<bf16>();
    check_store<double>();
}

TEST_CASE("ParameterStore: a tied head addresses the embedding") {
    const ParameterTable table = tiny_table();
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    CHECK(store.weight(table.index_of("lm_head.weight")) ==
          store.weight(table.index_of("model.embed_tokens.weight")));
}

TEST_CASE("ParameterStore: all roles of a parameter lie at the same offset") {
    const ParameterTable table = tiny_table();
    ParameterStore<bf16> store(table);
    for (const Role role :
         {Role::weight, Role::gradient, Role::master, Role::moment1, Role::moment2})
        store.allocate(role);
    const int index = table.index_of("model.layers.1.self_attn.k_proj.weight");
    CHECK(store.weight(index) - store.weights().data() == table[index].offset);
    CHECK(store.gradient(index) - store.all(Role::gradient).data() == table[index].offset);
    CHECK(store.master(index) - store.all(Role::master).data() == table[index].offset);
    CHECK(store.at(Role::moment2, index) - store.all(Role::moment2).data() == table[index].offset);
}

TEST_CASE("ParameterStore: allocating twice keeps what is there") {
    const ParameterTable table = tiny_table();
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    store.weights()[7] = 3.0f;
    store.allocate(Role::weight);
    CHECK(store.weights()[7] == 3.0f);
}

TEST_CASE("ParameterStore: a role is set to zero, whole, and no other") {
    const ParameterTable table = tiny_table();
    ParameterStore<float> store(table);
    for (const Role role : {Role::gradient, Role::moment1}) {
        store.allocate(role);
        std::ranges::fill(store.all(role), 1.0f);
    }
    store.set_to_zero(Role::gradient, {});
    CHECK(std::ranges::all_of(store.all(Role::gradient), [](float v) { return v == 0.0f; }));
    CHECK(std::ranges::all_of(store.all(Role::moment1), [](float v) { return v == 1.0f; }));
    CHECK_THROWS_AS(store.set_to_zero(Role::master, {}), Error);
}

TEST_CASE("ParameterStore: a role that was not requested is an error that names it") {
    const ParameterTable table = tiny_table();
    ParameterStore<float> store(table);
    CHECK_FALSE(store.has(Role::moment1));
    CHECK_THROWS_WITH_AS(store.all(Role::moment1), "the parameters' role moment1 was not allocated",
                         Error);
    store.allocate(Role::weight);
    CHECK_THROWS_AS(store.all(Role::weight), Error);
}
