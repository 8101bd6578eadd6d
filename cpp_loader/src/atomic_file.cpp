#include "atomic_file.hpp"

#include <gluonnx/loader.hpp>

#include <random>
#include <utility>

namespace gluonnx {
namespace {

Error write_error(const std::filesystem::path& path, const std::string& reason) {
  return {ErrorCode::io, path.string(),
          "cannot be written: expected a writable file in an existing folder, got \"" + reason + "\"."};
}

// Two writers of one file need two names, and C++17 cannot open a file only if it is new: 64 random bits.
std::string random_suffix() {
  std::random_device random;
  const std::uint64_t number = (static_cast<std::uint64_t>(random()) << 32U) | random();
  return ".partial-" + std::to_string(number);
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path), target_(path) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(path, problem);
  if (std::filesystem::exists(status)) {
    if (!std::filesystem::is_regular_file(status)) throw write_error(path, "it exists and is not a regular file");
    target_ = std::filesystem::canonical(path, problem);
    if (problem) throw write_error(path, problem.message());
  }
  std::filesystem::path temporary = target_;
  temporary += random_suffix();
  stream_.open(temporary, std::ios::binary | std::ios::trunc);
  if (!stream_) throw write_error(path, std::generic_category().message(errno));
  temporary_ = std::move(temporary);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      stream_(std::move(other.stream_)) {}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  stream_.close();
  std::error_code ignored;  // a destructor has nobody to tell
  std::filesystem::remove(temporary_, ignored);
}

void AtomicFile::close() {
  stream_.close();
  if (!stream_) throw write_error(path_, std::generic_category().message(errno));
}

void AtomicFile::commit() {
  std::error_code problem;
  std::filesystem::rename(temporary_, target_, problem);
  if (problem) throw write_error(path_, problem.message());
  temporary_.clear();
}

}  // namespace gluonnx
