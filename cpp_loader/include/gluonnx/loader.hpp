// gluonnx loader: run an exported `.onnx` model from C++17. Link `gluonnx::loader`.
//
//     #include <gluonnx/loader.hpp>
//
//     #include <iostream>
//
//     int main() {
//       try {
//         const gluonnx::Model model("net-0000.onnx");
//         const std::vector<float> pixels(1 * 1 * 8 * 8, 0.5F);
//         const gluonnx::Outputs outputs = model.run({{"data", {pixels, {1, 1, 8, 8}}}});
//         for (const float score : outputs[0].values<float>()) std::cout << score << '\n';
//       } catch (const gluonnx::Error& error) {
//         std::cerr << "error: " << error.what() << '\n';
//         return 1;
//       }
//     }
//
// Threads: a Model does not change after it is loaded. `run` and every other const member may be called on one Model
// from any number of threads at once, without a lock. A Tensor is plain memory: guard it as you would a vector.
//
// Lifetimes: a TensorView refers to memory that somebody else keeps alive. Outputs own theirs and outlive the Model.
//
// Errors: everything that fails throws `gluonnx::Error`. Nothing is printed unless `Options::log` asks for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gluonnx {

/// What kind of thing went wrong. The C API returns the same numbers.
enum class ErrorCode : int {
  invalid_argument = 1,  ///< A call does not fit the model or the tensor: unknown name, wrong dtype, rank or size.
  not_found = 2,         ///< A file that should be read is not there.
  bad_format = 3,        ///< A file is not what it should be: not an ONNX model, a truncated `.npy`.
  io = 4,                ///< The system refused to read or write.
  unsupported = 5,       ///< Valid, but not possible here: a device, an operator, a kind of value.
  runtime = 6,           ///< ONNX Runtime failed while running the model.
};

/// The one exception of this library; `what()` is "<where>: <detail>".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string where, std::string detail);

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// The file, input or function that it is about.
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  /// What is wrong, what was expected, what was given and, where there is one, the remedy.
  [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

 private:
  ErrorCode code_;
  std::string where_;
  std::string detail_;
};

/// Element types; the numbers are those of ONNX `TensorProto.DataType`.
enum class DType : int {
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  bfloat16 = 16,
};

/// Half precision as its 16 bits (IEEE 754 binary16), since C++17 has no such number.
struct float16 {
  std::uint16_t bits = 0;
  [[nodiscard]] static float16 from(float value) noexcept;
  [[nodiscard]] float to_float() const noexcept;
};

/// The upper half of a float as its 16 bits.
struct bfloat16 {
  std::uint16_t bits = 0;
  [[nodiscard]] static bfloat16 from(float value) noexcept;
  [[nodiscard]] float to_float() const noexcept;
};

/// The table C++ type -> element type. A type that is not listed does not compile.
template <class T>
struct ElementType {
  static_assert(
      sizeof(T) == 0,
      "gluonnx: this C++ type has no ONNX element type. Use float, double, bool, std::int8_t to std::int64_t, "
      "std::uint8_t to std::uint64_t, gluonnx::float16 or gluonnx::bfloat16.");
};
// clang-format off
template <> struct ElementType<float>         { static constexpr DType dtype = DType::float32; };
template <> struct ElementType<double>        { static constexpr DType dtype = DType::float64; };
template <> struct ElementType<float16>       { static constexpr DType dtype = DType::float16; };
template <> struct ElementType<bfloat16>      { static constexpr DType dtype = DType::bfloat16; };
template <> struct ElementType<bool>          { static constexpr DType dtype = DType::boolean; };
template <> struct ElementType<std::int8_t>   { static constexpr DType dtype = DType::int8; };
template <> struct ElementType<std::int16_t>  { static constexpr DType dtype = DType::int16; };
template <> struct ElementType<std::int32_t>  { static constexpr DType dtype = DType::int32; };
template <> struct ElementType<std::int64_t>  { static constexpr DType dtype = DType::int64; };
template <> struct ElementType<std::uint8_t>  { static constexpr DType dtype = DType::uint8; };
template <> struct ElementType<std::uint16_t> { static constexpr DType dtype = DType::uint16; };
template <> struct ElementType<std::uint32_t> { static constexpr DType dtype = DType::uint32; };
template <> struct ElementType<std::uint64_t> { static constexpr DType dtype = DType::uint64; };
// clang-format on

/// numpy's name of an element type: "float32", "int64", "bool", ...
[[nodiscard]] std::string_view dtype_name(DType dtype);

/// Bytes of one element.
[[nodiscard]] std::size_t dtype_size_bytes(DType dtype);

/// Sizes of the axes; in a model's ValueInfo -1 stands for a size that each call chooses.
using Shape = std::vector<std::int64_t>;

/// "[1, 3, -1, -1]"
[[nodiscard]] std::string to_string(const Shape& shape);

/// Product of the sizes. Throws `invalid_argument` for a negative size or a product beyond memory.
[[nodiscard]] std::size_t element_count(const Shape& shape);

/// A run of elements that somebody else keeps alive (C++20's std::span, as far as it is needed here).
template <class T>
class Span {
 public:
  Span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T* begin() const noexcept { return data_; }
  [[nodiscard]] T* end() const noexcept { return data_ + size_; }
  /// Not checked, like std::vector's.
  [[nodiscard]] T& operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  T* data_;
  std::size_t size_;
};

namespace detail {
/// Throws `invalid_argument` unless elements are read as what they are.
void require_dtype(DType has, DType asked);
}  // namespace detail

/// Memory of an array, row by row (C order), allocated or adopted. Moves, never copies by accident.
class Tensor {
 public:
  /// Whatever keeps the elements alive, with the function that lets go of it.
  using Owner = std::unique_ptr<void, void (*)(void*)>;

  /// Zeros.
  Tensor(DType dtype, Shape shape);
  /// A copy of `values`. Throws `invalid_argument` unless there are as many as the shape has elements.
  template <class T>
  Tensor(const std::vector<T>& values, Shape shape);
  /// Adopts memory: `data` has at least `element_count(shape)` elements for as long as `owner` lives.
  Tensor(DType dtype, Shape shape, Owner owner, void* data);

  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  ~Tensor() = default;

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_ * dtype_size_bytes(dtype_); }
  [[nodiscard]] const void* data() const noexcept { return data_; }
  [[nodiscard]] void* data() noexcept { return data_; }

  /// The elements. Throws `invalid_argument` if the dtype is another. Not on a temporary, whose elements would be gone.
  template <class T>
  [[nodiscard]] Span<const T> values() const& {
    detail::require_dtype(dtype_, ElementType<T>::dtype);
    return {static_cast<const T*>(data_), size_};
  }
  template <class T>
  [[nodiscard]] Span<T> values() & {
    detail::require_dtype(dtype_, ElementType<T>::dtype);
    return {static_cast<T*>(data_), size_};
  }
  template <class T>
  Span<const T> values() const&& = delete;

 private:
  DType dtype_;
  Shape shape_;
  std::size_t size_;
  Owner owner_;
  void* data_;
};

/// An array that somebody else keeps alive, in C order: what `run` reads. Nothing is copied.
class TensorView {
 public:
  /// `count` elements at `data`. Throws `invalid_argument` unless the shape has as many.
  template <class T>
  TensorView(const T* data, std::size_t count, Shape shape)
      : TensorView(ElementType<T>::dtype, data, count * sizeof(T), std::move(shape)) {}
  template <class T>
  TensorView(const std::vector<T>& values, Shape shape) : TensorView(values.data(), values.size(), std::move(shape)) {
    static_assert(!std::is_same_v<T, bool>,
                  "gluonnx: std::vector<bool> keeps bits, not bools. Use std::array<bool, N>.");
  }
  template <class T, std::size_t N>
  TensorView(const std::array<T, N>& values, Shape shape) : TensorView(values.data(), N, std::move(shape)) {}
  /// `size_bytes` bytes at `data`, elements of a dtype known only at run time.
  TensorView(DType dtype, const void* data, std::size_t size_bytes, Shape shape);
  TensorView(const Tensor& tensor);  // NOLINT(google-explicit-constructor): a Tensor goes wherever a view does

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_ * dtype_size_bytes(dtype_); }
  [[nodiscard]] const void* data() const noexcept { return data_; }

  /// The elements. Throws `invalid_argument` if the dtype is another.
  template <class T>
  [[nodiscard]] Span<const T> values() const {
    detail::require_dtype(dtype_, ElementType<T>::dtype);
    return {static_cast<const T*>(data_), size_};
  }

 private:
  DType dtype_;
  Shape shape_;
  std::size_t size_;
  const void* data_;
};

template <class T>
Tensor::Tensor(const std::vector<T>& values, Shape shape) : Tensor(ElementType<T>::dtype, std::move(shape)) {
  const TensorView source(values, shape_);  // checks the count
  const Span<const T> from = source.template values<T>();
  std::copy(from.begin(), from.end(), static_cast<T*>(data_));
}

/// One named input of a call.
struct Input {
  std::string_view name;
  TensorView value;
};

/// The answers of a call, in the model's order (or the order asked for), by position or by name.
class Outputs {
 public:
  Outputs(std::shared_ptr<const std::vector<std::string>> names, std::vector<Tensor> tensors);

  [[nodiscard]] std::size_t size() const noexcept { return tensors_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return *names_; }
  /// Throw `invalid_argument` when there is no such output. On a temporary they hand the tensor itself over.
  [[nodiscard]] const Tensor& operator[](std::size_t index) const& { return tensors_[checked(index)]; }
  [[nodiscard]] const Tensor& operator[](std::string_view name) const& { return tensors_[index_of(name)]; }
  [[nodiscard]] Tensor operator[](std::size_t index) && { return std::move(tensors_[checked(index)]); }
  [[nodiscard]] Tensor operator[](std::string_view name) && { return std::move(tensors_[index_of(name)]); }
  [[nodiscard]] auto begin() const noexcept { return tensors_.begin(); }
  [[nodiscard]] auto end() const noexcept { return tensors_.end(); }

 private:
  [[nodiscard]] std::size_t checked(std::size_t index) const;
  [[nodiscard]] std::size_t index_of(std::string_view name) const;

  std::shared_ptr<const std::vector<std::string>> names_;
  std::vector<Tensor> tensors_;
};

/// Name, element type and shape (-1: any size) of an input or output of a model.
struct ValueInfo {
  std::string name;
  DType dtype;
  Shape shape;
};

/// How much ONNX Runtime rewrites the graph at load.
enum class Optimization { none, basic, extended, all };

/// What ONNX Runtime may print on stderr. Its first Model in a process decides for messages that belong to no model.
enum class LogSeverity : int { verbose = 0, info = 1, warning = 2, error = 3, fatal = 4 };

struct Options {
  /// "cpu", "cuda" or "cuda:N". Operators that the device does not have run on the CPU, as in ONNX Runtime.
  std::string device = "cpu";
  /// Threads inside one operator; 0: one for each core.
  int threads = 0;
  Optimization optimization = Optimization::all;
  /// Quiet by default: what fails is thrown, not printed.
  LogSeverity log = LogSeverity::fatal;
};

/// A loaded model. Fixed after it is loaded: all of its members but the moves are const and safe from many threads.
/// One that was moved from can only be assigned to or destroyed.
class Model {
 public:
  /// Throws `not_found`, `bad_format` (not an ONNX model), `unsupported` (device, operator, inputs that are not
  /// tensors) or `invalid_argument` (options).
  explicit Model(const std::filesystem::path& path, const Options& options = {});
  /// A model from memory, which is not needed after the call; `name` stands for the path in messages.
  Model(Span<const std::byte> bytes, std::string name, const Options& options = {});

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model();

  [[nodiscard]] const std::vector<ValueInfo>& inputs() const noexcept;
  [[nodiscard]] const std::vector<ValueInfo>& outputs() const noexcept;
  /// The model's own key-value pairs.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept;

  /// Run the model on the CPU memory that the inputs refer to; the answers are in CPU memory of their own.
  ///
  /// Every input of the model must be given once, in any order, with its dtype, its rank and its fixed sizes.
  /// Throws `invalid_argument` (the message names the input, what it expects and what it got) or `runtime`.
  [[nodiscard]] Outputs run(std::initializer_list<Input> inputs) const;
  [[nodiscard]] Outputs run(const std::vector<Input>& inputs) const;
  /// The same, for some of the outputs, in the order of `output_names`: what only the others need is not computed.
  [[nodiscard]] Outputs run(const std::vector<Input>& inputs, const std::vector<std::string>& output_names) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// Version of the ONNX Runtime library that this process has loaded, "1.31.1".
[[nodiscard]] std::string onnxruntime_version();

/// Version of this library, "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

}  // namespace gluonnx
