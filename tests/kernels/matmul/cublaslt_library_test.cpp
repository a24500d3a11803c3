// Where cuBLASLt is looked for, and what happens if it is not there. Nothing here needs a GPU.

#include "kernels/matmul/cublaslt_library.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"
#if defined(FETTLE_WITH_CUDA)
#include "kernels/matmul/cublaslt.h"
#endif

namespace {

// A variable of the environment as it should be for one test case.
class Variable {
public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        setenv(name, value.c_str(), /*overwrite=*/1);
    }
    ~Variable() {
        if (before_)
            setenv(name_, before_->c_str(), 1);
        else
            unsetenv(name_);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
    std::optional<std::string> before_;
};

bool contains(const std::vector<std::string>& values, const std::string& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

TEST_CASE("cublaslt_candidates: toolkits and PyTorch's packages, the newest version first") {
    const TemporaryFolder folder;
    const auto toolkit = folder / "toolkit/lib64";
    const auto package = folder / "venv/lib/python3.11/site-packages/nvidia/cu13/lib";
    std::filesystem::create_directories(toolkit);
    std::filesystem::create_directories(package);
    put(toolkit / "libcublasLt.so.12", "");
    put(toolkit / "libcublasLt.so.13", "");
    put(package / "libcublasLt.so.13", "");
    const Variable home("CUDA_HOME", (folder / "toolkit").string());
    const Variable environment("VIRTUAL_ENV", (folder / "venv").string());

    const std::vector<std::string> found = cublaslt_candidates();
    REQUIRE(found.size() >= 6);
    CHECK(found[0] == "libcublasLt.so.13");  // wherever the loader looks
    CHECK(found[1] == "libcublasLt.so.12");
    CHECK(found[3] == (toolkit / "libcublasLt.so.13").string());
    CHECK(found[4] == (toolkit / "libcublasLt.so.12").string());
    CHECK(contains(found, (package / "libcublasLt.so.13").string()));
    CHECK(!contains(found, (toolkit / "libcublasLt.so").string()));  // does not exist
}

TEST_CASE("open_cublaslt: it can be turned off") {
    const Variable off(kCublasLtVariable, "off");
    std::string why;
    CHECK(!open_cublaslt(why));
    CHECK(why == "FETTLE_CUBLASLT is off");
}

TEST_CASE("open_cublaslt: a file that was named is taken, or is an error that names it") {
    {
        const Variable named(kCublasLtVariable, "libm.so.6");
        std::string why;
        const DynamicLibrary library = open_cublaslt(why);
        REQUIRE(library);
        CHECK(library.path() == "libm.so.6");
    }
    const TemporaryFolder folder;
    const Variable named(kCublasLtVariable, (folder / "absent.so").string());
    std::string why;
    CHECK_THROWS_AS(open_cublaslt(why), InputError);
    try {
        open_cublaslt(why);
    } catch (const InputError& error) {
        const std::string message = error.what();
        CHECK(message.find("FETTLE_CUBLASLT: ") == 0);
        CHECK(message.find((folder / "absent.so").string()) != std::string::npos);
        CHECK(message.find("expected the path of libcublasLt.so") != std::string::npos);
    }
}

#if defined(FETTLE_WITH_CUDA)
TEST_CASE("cublaslt: a library that is found has every function, and takes every description") {
    std::string why;
    if (!open_cublaslt(why)) {
        std::printf("skipped: what needs cuBLASLt (%s)\n", why.c_str());
        return;
    }
    REQUIRE(cublaslt::why_missing().empty());
    alignas(16) float memory[64] = {};
    alignas(16) bf16 narrow[64] = {};
    for (const bool transpose : {false, true}) {
        Matmul<float> wide{.out = memory, .a = memory, .b = memory, .m = 3, .n = 5, .k = 7};
        wide.transpose_a = wide.transpose_b = wide.accumulate = transpose;
        CHECK_NOTHROW(cublaslt::describe(column_major(wide)));
        Matmul<bf16> biased{.out = narrow, .a = narrow, .b = narrow, .m = 4, .n = 8, .k = 2};
        biased.bias = narrow;
        biased.transpose_b = transpose;
        CHECK_NOTHROW(cublaslt::describe(column_major(biased)));
        Matmul<bf16, float> gradient{.out = memory, .a = narrow, .b = narrow};
        gradient.m = gradient.n = gradient.k = 8;
        gradient.transpose_a = transpose;
        CHECK_NOTHROW(cublaslt::describe(column_major(gradient)));
    }
}
#endif
