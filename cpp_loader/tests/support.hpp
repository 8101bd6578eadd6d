// What the test files share.
#pragma once

#include <gluonnx/loader.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace gluonnx::test {

inline std::filesystem::path data(const std::string& name) { return std::filesystem::path(GLUONNX_TEST_DATA) / name; }

/// A new empty folder, removed with its content at the end of the test.
class Scratch {
 public:
  Scratch() : folder_(std::filesystem::path(GLUONNX_TEST_SCRATCH)) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] bool is_empty() const { return std::filesystem::is_empty(folder_); }
  [[nodiscard]] std::size_t file_count() const {
    const std::filesystem::directory_iterator files(folder_);
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }

 private:
  std::filesystem::path folder_;
};

inline std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The error that `work` throws; fails the test when it throws none.
template <class Work>
Error error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("expected an Error, got none");
  return {ErrorCode::runtime, "", ""};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

template <class T>
std::vector<T> to_vector(Span<const T> span) {
  return std::vector<T>(span.begin(), span.end());
}

}  // namespace gluonnx::test
