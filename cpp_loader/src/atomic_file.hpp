// A file that appears under its name whole or not at all.
#pragma once

#include <filesystem>
#include <fstream>

namespace gluonnx {

/// Writes beside `path` and renames in `commit`; without a commit nothing is left behind.
class AtomicFile {
 public:
  /// Throws `Error` with `io` when no file can be made there, or when `path` is a folder or a device.
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  [[nodiscard]] std::ostream& stream() noexcept { return stream_; }
  /// Close the file, so that every byte is written. Throws `Error` with `io`, for example when the disk is full.
  void close();
  /// Give the closed file its name. Throws `Error` with `io`.
  void commit();

 private:
  std::filesystem::path path_;       // as the caller wrote it
  std::filesystem::path target_;     // where a symbolic link leads
  std::filesystem::path temporary_;  // empty: nothing to remove
  std::ofstream stream_;
};

}  // namespace gluonnx
