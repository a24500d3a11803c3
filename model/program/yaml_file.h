// A YAML file of flags: a mapping from flag names to single values or lists of them.
#pragma once

#include <string>
#include <vector>

struct YamlEntry {
    std::string key;
    std::vector<std::string> values;
    bool is_list = false;
    int line = 0;  // 1-based
};

// The entries in the file's order; a key without a value (or `null`) is left out. Anything else
// than such a mapping, and a key that comes twice, is an InputError that names file and line.
std::vector<YamlEntry> read_yaml_file(const std::string& path);
