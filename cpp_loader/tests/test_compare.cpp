#include "../src/run/compare.hpp"
#include "../src/run/json.hpp"
#include "support.hpp"

#include <limits>

using namespace gluonnx;
using namespace gluonnx::test;
using gluonnx::run::json_number;
using gluonnx::run::json_string;
using gluonnx::run::max_abs_difference;

namespace {

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  return max_abs_difference({a, {static_cast<std::int64_t>(a.size())}}, {b, {static_cast<std::int64_t>(b.size())}},
                            "x");
}

}  // namespace

TEST_CASE("the largest difference counts, whatever its sign") {
  CHECK(difference({1, 2, 3}, {1, 2.5F, 2.75F}) == 0.5);
  CHECK(difference({}, {}) == 0);
}

TEST_CASE("NaN equals NaN only, infinity the same infinity only") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(difference({nan, infinity}, {nan, infinity}) == 0);
  CHECK(difference({nan}, {0}) == infinity);
  CHECK(difference({infinity}, {-infinity}) == infinity);
}

TEST_CASE("arrays of another kind are no small difference") {
  const Error error = error_of([] { difference({1}, {1, 2}); });
  CHECK(std::string(error.what()) == "x: the arrays differ in kind: expected float32 [2], got float32 [1].");
}

TEST_CASE("half precision is compared as numbers") {
  Tensor a(DType::float16, {1});
  Tensor b(DType::float16, {1});
  a.values<float16>()[0] = float16::from(1.5F);
  b.values<float16>()[0] = float16::from(1.0F);
  CHECK(max_abs_difference(a, b, "x") == 0.5);
}

TEST_CASE("JSON strings are always UTF-8") {
  CHECK(json_string("a\"b\\c\n\x01") == R"("a\"b\\c\u000a\u0001")");
  CHECK(json_string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
  // overlong, surrogate, beyond U+10FFFF, cut off
  CHECK(json_string("\xC0\xAF") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(json_string("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(json_string("\xE2\x82") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(json_number(0.1) == "0.1");
  CHECK(json_number(std::numeric_limits<double>::infinity()) == "null");
}
