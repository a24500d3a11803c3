// What order there is between threads that no barrier orders, blocks of a grid above all: a thread
// fences, then updates a word with an atomic, or another does that knows of the fence; whoever
// updates that word later knows what the first knew at its fence. So the last block of a grid may
// sum up what the others left, and a lock may be handed on.
//
// Laxer than hardware: the later one needs no fence, and what it learned of another block all
// threads of its own know at once.
#pragma once

#include "kernels/simt/shadow.h"

namespace simt::check {

// The thread that runs has updated the word: it learns, and publishes what its last fence said.
void update_word(const void* address);
// Whether the cluster that runs learned of what another did.
bool was_published(const Stamp& stamp);
bool has_published(uint32_t cluster);  // anything
void forget_words();                   // before a grid

}  // namespace simt::check
