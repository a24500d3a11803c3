// Probes: one instruction of the device at a time, what it leaves as 32-bit words. The words are
// kept in tests/golden/probes/, one file a probe; the emulator must give them, and so must a GPU.
//
//   <group>.cu            the kernels, compiled for both devices: <group>_probes()
//   device.cu             all of them
//   expected_<group>.cpp  inputs and words, from the tables of the PTX ISA: expected_of_<group>()
//   probes_test.cpp       runs, compares, reads and writes the files
//
// A new probe is a kernel in the former, a row in the latter, and its file (probes_test.cpp says
// how it is made).
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/core/stream.h"

struct ProbeKernel {
    std::string name;
    void (*run)(uint32_t* out, const uint32_t* in, StreamView stream);  // on the device
    bool needs_sm90 = false;
};
using ProbeKernels = std::vector<ProbeKernel>;

// A word that a probe may leave: these bits, or, if `error` is positive, any float so far from them.
struct Allowed {
    uint32_t bits = 0;
    double error = 0.0;
};

struct Probe {
    std::string name;
    std::string source;  // of what is expected
    std::vector<uint32_t> input;
    std::vector<Allowed> expected;

    bool is_exact() const {
        for (const Allowed& word : expected)
            if (word.error > 0.0) return false;
        return true;
    }
};

std::vector<Probe> expected_of_warp();
std::vector<Probe> expected_of_matrix();
std::vector<Probe> expected_of_copies();
std::vector<Probe> expected_of_boxes();
std::vector<Probe> expected_of_mbarrier();
std::vector<Probe> expected_of_warpgroup();
std::vector<Probe> expected_of_cluster();
std::vector<Probe> expected_of_math();

// A device as probes find it.
struct ProbedDevice {
    std::string name;      // "NVIDIA H200"; "emulated"
    int architecture = 0;  // 800, 900: that the code which runs there was compiled for
    ProbeKernels kernels;
};
namespace on_simt {
ProbedDevice probed_device(StreamView stream);
}
namespace on_cuda {
ProbedDevice probed_device(StreamView stream);
}
