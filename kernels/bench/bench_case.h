// What bin/bench runs: every operation of training and generation at shapes of a real model, or at
// small ones that the emulator runs in a second.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/core/stream.h"

// An operation with inputs and outputs of its own on a device.
struct PreparedCase {
    std::function<void(StreamView)> run;          // once
    std::function<std::vector<char>()> contents;  // every byte of its inputs and outputs
    std::function<void(const std::vector<char>&)> set_contents;  // as they were
    void operator()(StreamView stream) const { run(stream); }
};

struct BenchCase {
    std::string op;     // "layernorm_forward"
    std::string shape;  // "N=4096 C=768 bf16"
    double bytes = 0;   // between memory and chip, if each tensor moves once
    double flops = 0;   // a multiply-add is two; 0: not what bounds it
    std::function<PreparedCase(Device)> prepare;
};

// Those that the device has a form for.
std::vector<BenchCase> bench_cases(Device device, bool small);
