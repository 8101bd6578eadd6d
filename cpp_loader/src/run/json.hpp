// Just enough JSON to print: strings, numbers, and the joining of what is already JSON.
#pragma once

#include <gluonnx/loader.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace gluonnx::run {

/// A JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result always is.
[[nodiscard]] std::string json_string(std::string_view text);

/// The shortest text that reads back as `value`; null for infinity and NaN, which JSON lacks.
[[nodiscard]] std::string json_number(double value);

[[nodiscard]] std::string json_array(const std::vector<std::string>& items);

struct JsonField {
  std::string_view key;
  std::string value;  // JSON
};

[[nodiscard]] std::string json_object(const std::vector<JsonField>& fields);

}  // namespace gluonnx::run
