// How far apart two arrays are.
#pragma once

#include <gluonnx/loader.hpp>

#include <string>

namespace gluonnx::run {

/// Largest |a - b|: 0 for empty arrays and for elements that are both NaN or the same infinity, infinity where only one
/// of the two is finite. Elements are compared as doubles.
///
/// Throws `invalid_argument` when dtypes or shapes differ; `where` stands in front of the message.
[[nodiscard]] double max_abs_difference(const TensorView& actual, const TensorView& expected, const std::string& where);

}  // namespace gluonnx::run
