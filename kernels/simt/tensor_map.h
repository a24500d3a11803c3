// A matrix in device memory and the boxes that bulk copies move of it. CUDA driver API,
// "cuTensorMapEncodeTiled".
#pragma once

#include <algorithm>
#include <cstdint>

// What the driver is told of a matrix. As large as what it makes of that and of the same name, so
// that kernels with one among their arguments are the same in PTX (simt/ptx).
struct alignas(128) CUtensorMap_st {
    const unsigned char* start = nullptr;
    int64_t rows = 0, columns = 0;
    int64_t row_bytes = 0;  // from row to row
    int element_bytes = 0;
    int box_rows = 0, box_columns = 0;
    // 128B: of each 1,024 bytes in shared memory, which are 8 rows of a box, the 16-byte chunk c of
    // row r lies where chunk c ^ r would.
    bool is_swizzled = false;
};

namespace simt {

using TensorMap = CUtensorMap_st;

// The box whose first element is (row, column), which may lie outside the matrix.
struct Box {
    unsigned char* shared = nullptr;
    TensorMap map;  // bytes in a run are a matrix of one row
    int64_t row = 0, column = 0;

    static constexpr int kChunk = 16;  // bytes that a copy moves together

    int row_bytes() const { return map.box_columns * map.element_bytes; }
    uint32_t bytes() const { return static_cast<uint32_t>(map.box_rows * row_bytes()); }
    // The ISA asks for 128 bytes. A swizzle is a function of address bits that repeats every 1,024,
    // and only there is it the one that others assume.
    uintptr_t alignment() const { return map.is_swizzled ? 1024 : 128; }
};

inline Box box_of_run(const void* shared, const void* start, uint32_t bytes) {
    const auto n = static_cast<int>(bytes);
    return {.shared = static_cast<unsigned char*>(const_cast<void*>(shared)),
            .map = {.start = static_cast<const unsigned char*>(start),
                    .rows = 1,
                    .columns = n,
                    .row_bytes = n,
                    .element_bytes = 1,
                    .box_rows = 1,
                    .box_columns = n}};
}

// A chunk of a box: of its bytes [offset, offset + bytes) are those at `global`, the others lie
// outside the matrix.
struct BoxChunk {
    unsigned char* shared;
    unsigned char* global;
    size_t offset, bytes;
};

template <typename Body>
void for_chunks(const Box& box, const Body& body) {
    const TensorMap& map = box.map;
    const int row_chunks = map.box_columns * map.element_bytes / Box::kChunk;
    const int64_t chunk_columns = Box::kChunk / map.element_bytes;
    for (int r = 0; r < map.box_rows; ++r)
        for (int c = 0; c < row_chunks; ++c) {
            const int64_t row = box.row + r, column = box.column + c * chunk_columns;
            const int64_t first = std::max<int64_t>(column, 0);
            const int64_t end = std::min(column + chunk_columns, map.columns);
            const int place = r * row_chunks + (map.is_swizzled ? c ^ r % 8 : c);
            BoxChunk chunk{box.shared + place * Box::kChunk, nullptr, 0, 0};
            if (row >= 0 && row < map.rows && first < end) {
                chunk.global = const_cast<unsigned char*>(map.start) + row * map.row_bytes +
                               first * map.element_bytes;
                chunk.offset = static_cast<size_t>((first - column) * map.element_bytes);
                chunk.bytes = static_cast<size_t>((end - first) * map.element_bytes);
            }
            body(chunk);
        }
}

}  // namespace simt
