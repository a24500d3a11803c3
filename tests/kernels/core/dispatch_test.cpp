#include "kernels/core/dispatch.h"

#include "tests/support/doctest.h"

namespace {

struct Note {
    Device* ran;
};

void on_cpu_note(const Note& note, StreamView) { *note.ran = Device::cpu; }
void on_cuda_note(const Note& note, StreamView) { *note.ran = Device::cuda; }
void on_simt_note(const Note& note, StreamView) { *note.ran = Device::simt; }

}  // namespace

TEST_CASE("dispatch: runs the form of the stream's device") {
    for (const Device device : {Device::cuda, Device::simt, Device::cpu}) {
        Device ran = device == Device::cpu ? Device::simt : Device::cpu;
        dispatch("note", Note{&ran}, {.device = device}, on_cpu_note, on_cuda_note, on_simt_note);
        CHECK(ran == device);
    }
}

TEST_CASE("dispatch: a form that the build lacks is an error that names operation and device") {
    Device ran = Device::cpu;
    CHECK_THROWS_WITH_AS(
        dispatch("note", Note{&ran}, {.device = Device::cuda}, on_cpu_note, nullptr, on_simt_note),
        "note: this build has no cuda form", Error);
    CHECK_THROWS_WITH_AS(dispatch("note", Note{&ran}, {.device = Device::simt}, on_cpu_note),
                         "note: this build has no simt form", Error);
}
