#include "kernels/core/stream.h"

#include "kernels/core/check.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

TEST_CASE("Device: names go there and back") {
    for (const Device device : {Device::cpu, Device::cuda, Device::simt})
        CHECK(device_from_name(name_of(device), "--device") == device);
}

TEST_CASE("Device: an unknown name is the user's error and names the flag") {
    CHECK_THROWS_WITH_AS(device_from_name("gpu", "--device"),
                         "--device: found \"gpu\", expected cpu, cuda or simt", InputError);
}

TEST_CASE("Device: cpu and simt always answer; cuda answers or says why not") {
    CHECK(device_answers(Device::cpu));
    CHECK(device_answers(Device::simt));
    CHECK_NOTHROW(require_device(Device::simt, "--device"));
    if (device_answers(Device::cuda)) {
        CHECK(default_device() == Device::cuda);
        CHECK_NOTHROW(require_device(Device::cuda, "--device"));
    } else {
        CHECK(default_device() == Device::cpu);
        CHECK_THROWS_WITH_AS(
            require_device(Device::cuda, "--device"),
            ("--device: cuda was asked for, but " + why_silent(Device::cuda)).c_str(), InputError);
    }
}

TEST_CASE("Stream: has the device it was made for, and can be waited for") {
    Stream stream(tested_device());
    CHECK(stream.view().device == tested_device());
    CHECK((stream.view().handle != nullptr) == (tested_device() != Device::cpu));
    const Stream moved(std::move(stream));
    CHECK(stream.view().handle == nullptr);
    CHECK_NOTHROW(moved.synchronize());
}
