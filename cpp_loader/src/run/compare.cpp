#include "compare.hpp"

#include <cmath>
#include <limits>

namespace gluonnx::run {
namespace {

template <class T>
double as_double(T value) {
  if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return static_cast<double>(value.to_float());
  } else {
    return static_cast<double>(value);
  }
}

double difference(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  if (!std::isfinite(a) || !std::isfinite(b)) return std::numeric_limits<double>::infinity();
  return std::abs(a - b);
}

template <class T>
double largest(const TensorView& actual, const TensorView& expected) {
  const Span<const T> a = actual.values<T>();
  const Span<const T> b = expected.values<T>();
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) result = std::max(result, difference(as_double(a[i]), as_double(b[i])));
  return result;
}

}  // namespace

double max_abs_difference(const TensorView& actual, const TensorView& expected, const std::string& where) {
  if (actual.dtype() != expected.dtype() || actual.shape() != expected.shape()) {
    throw Error(ErrorCode::invalid_argument, where,
                "the arrays differ in kind: expected " + std::string(dtype_name(expected.dtype())) + " " +
                    to_string(expected.shape()) + ", got " + std::string(dtype_name(actual.dtype())) + " " +
                    to_string(actual.shape()) + ".");
  }
  switch (actual.dtype()) {
    case DType::float32:
      return largest<float>(actual, expected);
    case DType::float64:
      return largest<double>(actual, expected);
    case DType::float16:
      return largest<float16>(actual, expected);
    case DType::bfloat16:
      return largest<bfloat16>(actual, expected);
    case DType::boolean:
      return largest<bool>(actual, expected);
    case DType::int8:
      return largest<std::int8_t>(actual, expected);
    case DType::int16:
      return largest<std::int16_t>(actual, expected);
    case DType::int32:
      return largest<std::int32_t>(actual, expected);
    case DType::int64:
      return largest<std::int64_t>(actual, expected);
    case DType::uint8:
      return largest<std::uint8_t>(actual, expected);
    case DType::uint16:
      return largest<std::uint16_t>(actual, expected);
    case DType::uint32:
      return largest<std::uint32_t>(actual, expected);
    case DType::uint64:
      return largest<std::uint64_t>(actual, expected);
  }
  throw Error(ErrorCode::invalid_argument, where, "unknown element type.");
}

}  // namespace gluonnx::run
