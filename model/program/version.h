// The version that --version prints and that run.json and trainer folders record.
#pragma once

inline constexpr const char* kVersion = "0.1.0";
