#include "kernels/simt/launch_list.h"

#include "kernels/core/check.h"

namespace simt {
namespace {

LaunchList* living = nullptr;

}  // namespace

LaunchList::LaunchList() {
    ENSURE(living == nullptr, "simt: launches are being listed already");
    living = this;
}
LaunchList::~LaunchList() { living = nullptr; }

bool is_listed(const Launch& launch) {
    if (living != nullptr) living->launches.push_back(launch);
    return living != nullptr;
}

}  // namespace simt
