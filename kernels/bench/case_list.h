// How the cases of bench_case.h are made: sizes, and the list that they are added to, file by file.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/bench/bench_case.h"
#include "kernels/bench/bench_memory.h"
#include "kernels/core/dtype.h"

// A micro-batch and a model's sizes.
struct Sizes {
    int64_t tokens;      // N, in rows of `row` tokens
    int row;             // T
    int channels;        // C
    int hidden;          // I
    int heads;           // H
    int head_dim;        // D
    int64_t logit_rows;  // of a chunk of logits
    int64_t vocabulary;  // V
    int64_t parameters;  // of an AdamW update
};

class Cases {
public:
    // make(memory) returns the operation's arguments.
    template <typename Make, typename Args>
    void add(std::string op, std::string shape, double bytes, double flops, Make make,
             void (*run)(const Args&, StreamView)) {
        all_.push_back({std::move(op), std::move(shape), bytes, flops, [=](Device device) {
                            const auto memory = std::make_shared<BenchMemory>(device);
                            const Args args = make(*memory);
                            return PreparedCase{
                                [=](StreamView stream) {
                                    (void)memory;  // owns what args point to
                                    run(args, stream);
                                },
                                [=] { return memory->contents(); },
                                [=](const std::vector<char>& all) { memory->set_contents(all); }};
                        }});
    }
    std::vector<BenchCase> take() { return std::move(all_); }

private:
    std::vector<BenchCase> all_;
};

template <typename T>
const char* type_name() {
    return std::is_same_v<T, float> ? "fp32" : "bf16";
}

void add_norms(Cases& cases, const Sizes& sizes);
void add_pointwise(Cases& cases, const Sizes& sizes);
void add_products(Cases& cases, const Sizes& sizes);
void add_attention(Cases& cases, const Sizes& sizes, Device device);
void add_vocabulary(Cases& cases, const Sizes& sizes);
void add_optimizer(Cases& cases, const Sizes& sizes);
