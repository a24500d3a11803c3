// What libFuzzer calls; linked with one target.

#include <cstdint>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    fuzz_targets().at(0).run({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
