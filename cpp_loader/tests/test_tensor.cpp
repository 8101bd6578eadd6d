#include "support.hpp"

#include <cmath>
#include <limits>

using namespace gluonnx;
using namespace gluonnx::test;

static_assert(!std::is_copy_constructible_v<Tensor> && std::is_nothrow_move_constructible_v<Tensor>);
static_assert(!std::is_copy_constructible_v<Model> && std::is_nothrow_move_constructible_v<Model>);

TEST_CASE("a tensor starts as zeros and holds what is written") {
  Tensor tensor(DType::int32, {2, 3});
  CHECK(tensor.size() == 6);
  CHECK(tensor.size_bytes() == 24);
  CHECK(to_vector(Span<const std::int32_t>(tensor.values<std::int32_t>().data(), 6)) ==
        std::vector<std::int32_t>(6, 0));
  tensor.values<std::int32_t>()[5] = 7;
  const Tensor moved = std::move(tensor);
  CHECK(to_vector(moved.values<std::int32_t>()) == std::vector<std::int32_t>{0, 0, 0, 0, 0, 7});
}

TEST_CASE("a tensor copies a vector, a view refers to it") {
  std::vector<float> values{1, 2, 3, 4};
  const Tensor tensor(values, {2, 2});
  const TensorView view(values, {4});
  values[0] = 9;
  CHECK(tensor.values<float>()[0] == 1);
  CHECK(view.values<float>()[0] == 9);
  CHECK(view.data() == values.data());
}

TEST_CASE("a scalar has one element, an empty shape axis none") {
  CHECK(element_count({}) == 1);
  CHECK(element_count({3, 0, 5}) == 0);
  CHECK(Tensor(DType::float32, {0}).size_bytes() == 0);
  CHECK(to_string({}) == "[]");
  CHECK(to_string({1, -1}) == "[1, -1]");
}

TEST_CASE("an adopted buffer is let go of once") {
  int released = 0;
  std::array<double, 2> memory{1.5, 2.5};
  {
    static int* counter = nullptr;
    counter = &released;
    const Tensor tensor(DType::float64, {2}, Tensor::Owner(memory.data(), [](void*) { ++*counter; }), memory.data());
    CHECK(tensor.values<double>()[1] == 2.5);
  }
  CHECK(released == 1);
}

TEST_CASE("wrong counts, shapes and types are named") {
  const std::vector<float> five(5);
  Error error = error_of([&] { TensorView(five, {2, 3}); });
  CHECK(error.code() == ErrorCode::invalid_argument);
  CHECK(error.detail() ==
        "the memory does not fit the shape: expected 6 elements of float32 for shape [2, 3], got 5 elements.");
  error = error_of([&] { Tensor(five, {6}); });
  CHECK(contains(error.detail(), "expected 6 elements of float32 for shape [6], got 5 elements"));
  error = error_of([&] { TensorView(DType::float32, five.data(), 7, {2}); });
  CHECK(contains(error.detail(), "got 7 bytes"));
  error = error_of([&] { TensorView(five, {-5}); });
  CHECK(contains(error.what(), "Shape: negative size: expected sizes of 0 and more, got shape=[-5]"));
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  error = error_of([&] { static_cast<void>(element_count({huge, huge})); });
  CHECK(contains(error.detail(), "too many elements"));
  const Tensor tensor(DType::int64, {1});
  error = error_of([&] { static_cast<void>(tensor.values<float>()); });
  CHECK(error.detail() == "elements of another type: expected values<T>() with T for int64, got T for float32.");
  error = error_of([&] { Tensor(static_cast<DType>(8), {1}); });
  CHECK(contains(error.detail(), "got dtype=8"));
}

TEST_CASE("half precision rounds to nearest even and keeps infinity") {
  // Source: IEEE 754, binary16: 1 sign, 5 exponent, 10 fraction bits.
  CHECK(float16::from(1.0F).bits == 0x3C00);
  CHECK(float16::from(-2.5F).bits == 0xC100);
  CHECK(float16::from(65504.0F).bits == 0x7BFF);
  CHECK(std::isinf(float16::from(1e6F).to_float()));
  CHECK(float16{0x0001}.to_float() == std::ldexp(1.0F, -24));
  CHECK(bfloat16::from(1.0F).bits == 0x3F80);
  CHECK(bfloat16{0xC020}.to_float() == -2.5F);
}
