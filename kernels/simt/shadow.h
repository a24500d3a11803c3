// The shadow of the memory that kernels share, for check.cpp: of every two bytes who wrote them
// last, and who read them since. And what an address is: whose shared memory, which buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simt {
struct Block;
}

namespace simt::check {

constexpr size_t kCellBytes = 2;  // the smallest element is a bf16

// Who did something, when, and on which line.
struct Stamp {
    uint32_t cluster = 0;  // serial number; 0: nobody yet
    uint32_t clock = 0;
    uint32_t pc = 0;     // the program is linked at a fixed address below 4 GiB
    uint16_t actor = 0;  // clocks.h
    uint8_t bytes = 3;   // of the cell: the first is 1, the second 2
};
struct Cell {
    Stamp write, update, read;    // the last ones; an update is an atomic
    uint32_t earlier_reader = 0;  // another cluster that read before read.cluster did
    uint32_t readers = 0;         // index + 1 into the cluster's reader lists; 0: only `read`
};
struct Readers {
    std::vector<uint32_t> clocks;  // by actor; 0: has not read
    std::vector<uint32_t> pcs;
    std::vector<uint8_t> bytes;  // likewise
};

// What is known of a cluster that is alive; most clusters are one block.
struct ClusterState {
    uint32_t serial = 0;
    std::vector<Readers> readers;
    std::vector<uint32_t> free_readers;  // index + 1
};
extern ClusterState* cluster;  // of `block`

struct Location {
    Cell* cell = nullptr;  // null: private to the thread, or unchecked
    enum { local, global, shared } space = local;
    const Block* owner = nullptr;  // of shared memory, else null
};
Location find(const char* address);
// The first of the bytes at `address`, which is `at`, that no buffer holds; null if there is none.
const char* first_stray(const Location& at, const char* address, size_t bytes);
// Its own stack, the kernel's arguments, constants of the program.
bool is_private(const char* address);
std::string name_of_address(const char* address);

uint32_t first_cluster_of_grid();
void begin_shadow();  // of `block`
void enter_shadow();  // `block` is another one that has begun

}  // namespace simt::check
