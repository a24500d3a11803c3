#include "kernels/simt/launch_list.h"

#include <array>

#include "tests/support/emulated.h"

namespace {

__global__ void count_threads(int* count) { ++*count; }

}  // namespace

TEST_CASE("simt launch list: what is listed does not run; afterwards launches run again") {
    int count = 0;
    const auto launch = [&] {
        on_simt::launch(count_threads, {.grid = {2, 3}, .block = {8, 2}, .shared_bytes = 40},
                        &count);
    };
    {
        const simt::LaunchList list;
        launch();
        CHECK(list.launches.size() == 1);
        const simt::Launch& only = list.launches.front();
        CHECK(only.kernel == reinterpret_cast<const void*>(count_threads));
        CHECK(std::array{only.blocks.x, only.blocks.y, only.blocks.z} == std::array{2u, 3u, 1u});
        CHECK(std::array{only.threads.x, only.threads.y, only.threads.z} == std::array{8u, 2u, 1u});
        CHECK(only.shared_bytes == 40);
        CHECK(count == 0);
        CHECK_THROWS_WITH_AS(simt::LaunchList(), "simt: launches are being listed already", Error);
    }
    launch();
    CHECK(count > 0);
}
