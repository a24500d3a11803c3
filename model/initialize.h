// Random weights for a model that starts from nothing.
#pragma once

#include <cstdint>

#include "model/parameter_store.h"

// Every parameter as the table says (Hugging Face's initialisers). Each element is a function of
// the seed, the parameter's place in the table and its own, whatever the order or the threads.
template <typename T>
void initialize(ParameterStore<T>& store, uint64_t seed);
