// Fuzz targets: each gives bytes to one reader, as if a user's file held them.
//
// A reader may use them or throw an InputError. Anything else is a finding: another exception, a
// signal, a sanitizer's complaint, a second lost, a gigabyte taken. `make fuzz` looks for such
// bytes with libFuzzer; the ordinary tests (replay_test.cpp) give every target again what was
// found before. docs/benchmarks/fuzz.md says how to reproduce a finding.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/check.h"
#include "model/text/tokenizer.h"
#include "tests/support/temporary_folder.h"

struct FuzzTarget {
    const char* name;  // of its folders in tests/fuzz/corpus and tests/fuzz/crashers
    void (*run)(std::string_view input);
};

// All that are linked: one in a fuzzing program, each in the tests.
const std::vector<FuzzTarget>& fuzz_targets();
// In an anonymous namespace: const bool kAdded = add_fuzz_target("json", run);
bool add_fuzz_target(const char* name, void (*run)(std::string_view input));

// Whether the action went through; false after an InputError, which must be one of some use.
template <typename Action>
bool accepted(Action action) {
    try {
        action();
        return true;
    } catch (const InputError& error) {
        ENSURE(*error.what() != '\0', "an InputError says nothing");
        return false;
    }
}

// Several files in one input: lines "=== NAME", and what follows each up to the next. Names are
// plain, so that nothing is written elsewhere.
std::map<std::string, std::string> files_in(std::string_view input);
// The same files in a folder, which holds nothing else afterwards.
void put_files(std::string_view input, const std::filesystem::path& folder);

// Encodes texts and decodes what came of them: what a tokenizer that was accepted must be able to.
void use_tokenizer(const Tokenizer& tokenizer, std::string_view text = "");
