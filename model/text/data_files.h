// Which files a data argument means: a file, a folder, a glob, each perhaps several times.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

// Rows of JSON, by the name: .jsonl or .json; else text.
bool is_json_rows(const std::filesystem::path& file);

// The files that `argument` means: itself, a folder's .txt, .jsonl and .json by name, or those that
// match it; several times for `path:repeat`. `flag` is the one that named it, for messages.
std::vector<std::filesystem::path> files_of(const std::string& argument, const std::string& flag);

// Of all of them; one whose size is unknown counts 0.
int64_t bytes_of(const std::vector<std::filesystem::path>& files);
