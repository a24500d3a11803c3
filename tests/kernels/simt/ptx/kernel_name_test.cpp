// Names of functions, found by address.

#include "kernels/simt/ptx/kernel_name.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

using simt::ptx::function_name;
using simt::ptx::without_device;

namespace {

__attribute__((noinline)) int local_function(int x) { return x + 1; }
template <typename T>
__attribute__((noinline)) void local_template(T* x) {
    ++*x;
}

}  // namespace

TEST_CASE("simt PTX kernel name: found by address, local functions and templates too") {
    const auto name_of_address = [](auto* f) {
        return function_name(reinterpret_cast<const void*>(f));
    };
    CHECK(name_of_address(local_function) == "_ZN12_GLOBAL__N_114local_functionEi");
    CHECK(name_of_address(local_template<float>) == "_ZN12_GLOBAL__N_114local_templateIfEEvPT_");
    const auto* const inside = reinterpret_cast<const char*>(local_function) + 1;
    CHECK_THROWS_AS(function_name(inside), Error);
}

TEST_CASE("simt PTX kernel name: the same for both devices") {
    const std::string expected = "_ZN6device7unnamed18rope_block_per_rowIfEEv4RopeIT_E";
    CHECK(without_device("_ZN7on_simt12_GLOBAL__N_118rope_block_per_rowIfEEv4RopeIT_E") ==
          expected);
    CHECK(without_device("_ZN7on_cuda45_GLOBAL__N__15f8662f_7_rope_cu_a1507b8d_2906618rope_block_"
                         "per_rowIfEEv4RopeIT_E") == expected);
    CHECK(without_device("_ZN7on_cuda4plainEv") == without_device("_ZN7on_simt4plainEv"));
    CHECK(without_device("_Z5otheri") == "_Z5otheri");
    // Cut off, or a length that lies: nothing is read beyond the end.
    CHECK(without_device("_ZN7on_cuda99_GLOBAL__N_1") == "_ZN6device99_GLOBAL__N_1");
    CHECK(without_device("_ZN7on_cuda").size() > 0);
}
