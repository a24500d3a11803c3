// Runs kernels from the PTX that nvcc made of them, on the emulator's threads: what nvcc made of a
// kernel can be compared with the host's own build of it, without a GPU. library.h: which PTX.
//
//   interpret_from("build/ptx");  // from now on, every launch on simt
//
// Blocks, barriers, shuffles and device memory are the emulator's, so a stray access or a barrier
// that not all threads reach is the same Error as elsewhere. Interpreted is what nvcc makes of C++
// (instruction.h), and of sm_80's and sm_90's instructions those in kernels/core: tensor cores,
// asynchronous copies, mbarriers. One that is not known ends the launch with its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/simt/types.h"

namespace simt::ptx {

class Program;

struct Argument {
    const void* value = nullptr;
    size_t bytes = 0;
};

// Takes kernels from the .ptx files of `folder`, in place of the host's code; "" is the host's code
// again. An InputError if there are none, or two kernels of one name.
void interpret_from(const std::string& folder);
bool is_interpreting();
std::string folder();

// Instead of calling `kernel`, a function of this program. An InputError if the folder lacks it.
void launch(const void* kernel, on_simt::dim3 blocks, on_simt::dim3 threads, size_t shared_bytes,
            const std::vector<Argument>& arguments, unsigned cluster = 1);
void launch(const Program& program, on_simt::dim3 blocks, on_simt::dim3 threads,
            size_t shared_bytes, const std::vector<Argument>& arguments, unsigned cluster = 1);

// That all threads have run since the program began, those of failed blocks not counted.
uint64_t instructions_run();

// What launches have reached of the kernels in the folder.
struct Coverage {
    size_t kernels = 0;
    std::vector<std::string> not_launched;
    size_t instructions = 0;  // of the kernels that were launched
    size_t reached = 0;
    std::vector<std::string> lines_not_reached;  // "kernels/rope/rope.cu:41", of all those kernels
};
Coverage coverage();

}  // namespace simt::ptx
