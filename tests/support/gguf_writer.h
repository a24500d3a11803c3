// Writes small GGUF files, right ones and, piece by piece, wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "model/io/gguf.h"

template <typename T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
}
inline std::string raw_text(const std::string& text) { return raw<uint64_t>(text.size()) + text; }

// A key with its type and the bytes of its value.
inline std::string raw_entry(const std::string& key, GgufType type, const std::string& value) {
    return raw_text(key) + raw(static_cast<uint32_t>(type)) + value;
}

// A line of the table of tensors; dims the way the file has them, fastest first.
inline std::string raw_tensor(const std::string& name, const std::vector<uint64_t>& dims,
                              uint32_t type, uint64_t offset) {
    std::string out = raw_text(name) + raw(static_cast<uint32_t>(dims.size()));
    for (const uint64_t extent : dims) out += raw(extent);
    return out + raw(type) + raw(offset);
}

class GgufWriter {
public:
    uint32_t version = 3;
    size_t alignment = 32;  // also to be added as general.alignment if it is another

    // Replaces what was added under the key before.
    void add(const std::string& key, uint32_t value) { set(key, GgufType::u32, raw(value)); }
    void add(const std::string& key, float value) { set(key, GgufType::f32, raw(value)); }
    void add(const std::string& key, bool value) {
        set(key, GgufType::boolean, raw(static_cast<uint8_t>(value)));
    }
    void add(const std::string& key, const char* value) {
        set(key, GgufType::string, raw_text(value));
    }
    void add(const std::string& key, const std::vector<std::string>& values) {
        std::string bytes;
        for (const std::string& value : values) bytes += raw_text(value);
        remove(key);
        array(key, GgufType::string, values.size(), bytes);
    }
    void add(const std::string& key, const std::vector<int32_t>& values) {
        remove(key);
        array(key, GgufType::i32, values.size(), raw_all(values));
    }
    void add(const std::string& key, const std::vector<float>& values) {
        remove(key);
        array(key, GgufType::f32, values.size(), raw_all(values));
    }
    // Any bytes, beside what is there.
    void entry(const std::string& key, GgufType type, const std::string& value) {
        entries_.push_back({key, raw_entry(key, type, value)});
    }
    void array(const std::string& key, GgufType type, uint64_t count, const std::string& bytes) {
        entry(key, GgufType::array, raw(static_cast<uint32_t>(type)) + raw(count) + bytes);
    }
    void remove(const std::string& key) {
        std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
    }

    // `type` by ggml's number; dims fastest first.
    void add_tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type,
                    const std::string& bytes) {
        table_ += raw_tensor(name, dims, type, data_.size());
        data_ += bytes;
        data_.resize((data_.size() + alignment - 1) / alignment * alignment);
        ++num_tensors_;
    }
    void add_tensor(const std::string& name, const std::vector<uint64_t>& dims,
                    const std::vector<float>& values) {
        add_tensor(name, dims, 0, raw_all(values));
    }

    std::string bytes() const {
        std::string out =
            "GGUF" + raw(version) + raw<uint64_t>(num_tensors_) + raw<uint64_t>(entries_.size());
        for (const Entry& entry : entries_) out += entry.bytes;
        out += table_;
        out.resize((out.size() + alignment - 1) / alignment * alignment);
        return out + data_;
    }

private:
    struct Entry {
        std::string key, bytes;
    };
    void set(const std::string& key, GgufType type, const std::string& value) {
        remove(key);
        entry(key, type, value);
    }
    template <typename T>
    static std::string raw_all(const std::vector<T>& values) {
        return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
    }

    std::vector<Entry> entries_;
    std::string table_, data_;
    uint64_t num_tensors_ = 0;
};
