// Arrays in numpy's `.npy` files: format versions 1.0, 2.0 and 3.0, little-endian, C order.
//
// Source: NEP 1 and the numpy manual, "numpy.lib.format".
#pragma once

#include <gluonnx/loader.hpp>

#include <filesystem>
#include <iosfwd>

namespace gluonnx {

/// Read a `.npy` file.
///
/// Throws `not_found`, `io`, or `bad_format`: a bad header, Fortran order, big-endian or structured data, fewer or more
/// bytes than the header announces. Every length is checked against the file's size before memory is allocated for it.
[[nodiscard]] Tensor read_npy(const std::filesystem::path& path);

/// The same from a stream that holds `size_bytes` bytes; `where` stands for the path in messages.
[[nodiscard]] Tensor read_npy(std::istream& stream, std::uintmax_t size_bytes, const std::string& where);

/// Write a `.npy` file (format 1.0) as `np.save` does. Throws `io`, or `unsupported` for bfloat16, which numpy lacks.
///
/// The file appears whole under its name or not at all: it is written beside it and renamed.
void write_npy(const std::filesystem::path& path, const TensorView& tensor);

/// The same to a stream, whose state the caller checks.
void write_npy(std::ostream& stream, const TensorView& tensor, const std::string& where);

}  // namespace gluonnx
