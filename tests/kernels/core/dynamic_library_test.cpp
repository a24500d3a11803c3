// Libraries opened while the program runs: the C library's mathematics stand for any.

#include "kernels/core/dynamic_library.h"

#include <fstream>

#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

constexpr const char* kPresent = "libm.so.6";
constexpr const char* kAbsent = "libfettle_absent.so.1";

}  // namespace

TEST_CASE("DynamicLibrary: the first candidate that opens is taken, its functions are found") {
    std::string why = "left over";
    const auto library = DynamicLibrary::open_first({kAbsent, kPresent, "libc.so.6"}, why);
    REQUIRE(library);
    CHECK(library.path() == kPresent);
    CHECK(why.empty());
    void* found = library.symbol("cos");
    REQUIRE(found != nullptr);
    const auto cosine = reinterpret_cast<double (*)(double)>(found);
    CHECK(cosine(0.0) == 1.0);
    CHECK(library.symbol("fettle_has_no_such_function") == nullptr);
}

TEST_CASE("DynamicLibrary: where none opens, the reason is that of one that exists") {
    const TemporaryFolder folder;
    const std::string broken = folder.path() / "libbroken.so.1";
    std::ofstream(broken) << "not a library";
    std::string why;
    CHECK(!DynamicLibrary::open_first({kAbsent, broken, kAbsent}, why));
    CHECK(why.find(broken) != std::string::npos);
    CHECK(!DynamicLibrary::open_first({kAbsent}, why));
    CHECK(why.find(kAbsent) != std::string::npos);
    CHECK(DynamicLibrary().symbol("cos") == nullptr);
}

TEST_CASE("DynamicLibrary: moving hands the library on") {
    std::string why;
    auto first = DynamicLibrary::open_first({kPresent}, why);
    DynamicLibrary second(std::move(first));
    DynamicLibrary third;
    third = std::move(second);
    CHECK(third.symbol("cos") != nullptr);
    CHECK(third.path() == kPresent);
}
