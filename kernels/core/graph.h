// Launches that are captured once and put on their stream again with one call each time: a CUDA
// graph; on simt, the launches with their arguments.
//
//   const Graph backward(stream.view(), [&] { model.backward(); });
//   backward.replay();
//
// What a launch was given by value (sizes, pointers, an AdamW step) stays as it was when captured;
// what it reads through pointers it reads anew. All of `work` must have run once before: libraries
// allocate and load kernels at first use. Memory that a graph uses must outlive it.
#pragma once

#include <functional>
#include <vector>

#include "kernels/core/stream.h"

class Graph {
public:
    // Calls `work`, whose launches on `stream` are kept instead of run. An Error if `work` does
    // what cannot be captured: allocate, copy between host and device, wait, or use the default
    // stream; and on cpu, where work is over when its call returns.
    Graph(StreamView stream, const std::function<void()>& work);
    Graph(Graph&& other) noexcept;
    Graph& operator=(Graph&& other) noexcept;
    ~Graph();

    // Puts all of it on the stream, in the order of capture.
    void replay() const;

private:
    StreamView stream_;
    void* captured_ = nullptr;                     // on cuda: a cudaGraphExec_t
    std::vector<std::function<void()>> launches_;  // on simt
};
