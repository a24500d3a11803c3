// run.json: what a run was, so that it can be told from others and done again. Training writes it
// before its first step; reports read it. The format is described in docs/format_run.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

struct InputFile {
    std::string role;  // "model", "tokenizer", "train_data", "eval_data"
    std::string path;
    int64_t bytes = 0;
    std::string sha256;
};

// Hashes the file.
InputFile input_file(const std::string& role, const std::string& path);

struct RunInfo {
    std::vector<std::string> command;             // argv
    std::string options = "{}";                   // JSON: every flag's value
    std::map<std::string, std::string> versions;  // "fettle", "compiler", "onednn"
    std::string device;
    std::string device_name;  // "AMD EPYC 7B13"
    int threads = 0;
    int64_t seed = 0;
    std::string started;  // utc_now()
    std::vector<InputFile> inputs;
};

// "2026-01-31T12:00:00Z"
std::string utc_now();
// The processor's name as the kernel tells it; empty where it does not.
std::string cpu_name();

std::string to_json(const RunInfo& info);
// A missing key or wrong type is an InputError that names `source` and the key.
RunInfo run_info_from_json(const std::string& json, const std::string& source);
