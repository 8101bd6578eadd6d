// Element types, shapes, errors and the arrays made of them.
#include <gluonnx/loader.hpp>

#include <onnxruntime_cxx_api.h>

#include <limits>

namespace gluonnx {
namespace {

struct DTypeFacts {
  DType dtype;
  std::string_view name;
  std::size_t size_bytes;
};

// Source: ONNX onnx.proto3, TensorProto.DataType; names as numpy (and ml_dtypes) spells them.
constexpr std::array<DTypeFacts, 13> dtypes{{
    {DType::float32, "float32", 4},
    {DType::uint8, "uint8", 1},
    {DType::int8, "int8", 1},
    {DType::uint16, "uint16", 2},
    {DType::int16, "int16", 2},
    {DType::int32, "int32", 4},
    {DType::int64, "int64", 8},
    {DType::boolean, "bool", 1},
    {DType::float16, "float16", 2},
    {DType::float64, "float64", 8},
    {DType::uint32, "uint32", 4},
    {DType::uint64, "uint64", 8},
    {DType::bfloat16, "bfloat16", 2},
}};
static_assert(sizeof(bool) == 1, "ONNX keeps a bool in one byte");

const DTypeFacts& facts(DType dtype) {
  for (const DTypeFacts& entry : dtypes) {
    if (entry.dtype == dtype) return entry;
  }
  throw Error(ErrorCode::invalid_argument, "DType",
              "unknown element type: expected one of gluonnx::DType, got dtype=" +
                  std::to_string(static_cast<int>(dtype)) + ".");
}

void require_bytes(DType dtype, const Shape& shape, std::size_t size_bytes) {
  const std::size_t expected = element_count(shape) * dtype_size_bytes(dtype);
  if (expected == size_bytes) return;
  const std::size_t element = dtype_size_bytes(dtype);
  throw Error(ErrorCode::invalid_argument, "TensorView",
              "the memory does not fit the shape: expected " + std::to_string(element_count(shape)) + " elements of " +
                  std::string(dtype_name(dtype)) + " for shape " + to_string(shape) + ", got " +
                  (size_bytes % element == 0 ? std::to_string(size_bytes / element) + " elements"
                                             : std::to_string(size_bytes) + " bytes") +
                  ".");
}

Tensor::Owner allocate(std::size_t size_bytes) {
  return {std::make_unique<std::byte[]>(size_bytes).release(),
          [](void* memory) { std::unique_ptr<std::byte[]>(static_cast<std::byte*>(memory)).reset(); }};
}

}  // namespace

Error::Error(ErrorCode code, std::string where, std::string detail)
    : std::runtime_error(where + ": " + detail), code_(code), where_(std::move(where)), detail_(std::move(detail)) {}

std::string_view dtype_name(DType dtype) { return facts(dtype).name; }

std::size_t dtype_size_bytes(DType dtype) { return facts(dtype).size_bytes; }

float16 float16::from(float value) noexcept { return {Ort::Float16_t(value).val}; }
float float16::to_float() const noexcept { return Ort::Float16_t::FromBits(bits).ToFloat(); }
bfloat16 bfloat16::from(float value) noexcept { return {Ort::BFloat16_t(value).val}; }
float bfloat16::to_float() const noexcept { return Ort::BFloat16_t::FromBits(bits).ToFloat(); }

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

std::size_t element_count(const Shape& shape) {
  // Half of the address space: no array is larger, and a count below it times 8 bytes is checked by the division.
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 2 / sizeof(std::uint64_t);
  std::size_t count = 1;
  bool is_empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) {
      throw Error(ErrorCode::invalid_argument, "Shape",
                  "negative size: expected sizes of 0 and more, got shape=" + to_string(shape) + ".");
    }
    if (size == 0) {
      is_empty = true;
    } else if (count > most / static_cast<std::size_t>(size)) {
      throw Error(
          ErrorCode::invalid_argument, "Shape",
          "too many elements: expected at most " + std::to_string(most) + ", got shape=" + to_string(shape) + ".");
    } else {
      count *= static_cast<std::size_t>(size);
    }
  }
  return is_empty ? 0 : count;
}

namespace detail {

void require_dtype(DType has, DType asked) {
  if (has == asked) return;
  throw Error(ErrorCode::invalid_argument, "values",
              "elements of another type: expected values<T>() with T for " + std::string(dtype_name(has)) +
                  ", got T for " + std::string(dtype_name(asked)) + ".");
}

}  // namespace detail

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype),
      shape_(std::move(shape)),
      size_(element_count(shape_)),
      owner_(allocate(size_ * dtype_size_bytes(dtype))),
      data_(owner_.get()) {}

Tensor::Tensor(DType dtype, Shape shape, Owner owner, void* data)
    : dtype_(dtype), shape_(std::move(shape)), size_(element_count(shape_)), owner_(std::move(owner)), data_(data) {}

TensorView::TensorView(DType dtype, const void* data, std::size_t size_bytes, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), size_(element_count(shape_)), data_(data) {
  require_bytes(dtype_, shape_, size_bytes);
}

TensorView::TensorView(const Tensor& tensor)
    : dtype_(tensor.dtype()), shape_(tensor.shape()), size_(tensor.size()), data_(tensor.data()) {}

Outputs::Outputs(std::shared_ptr<const std::vector<std::string>> names, std::vector<Tensor> tensors)
    : names_(std::move(names)), tensors_(std::move(tensors)) {}

std::size_t Outputs::checked(std::size_t index) const {
  if (index < tensors_.size()) return index;
  throw Error(ErrorCode::invalid_argument, "Outputs",
              "no such output: expected an index below " + std::to_string(tensors_.size()) +
                  ", got index=" + std::to_string(index) + ".");
}

std::size_t Outputs::index_of(std::string_view name) const {
  std::string known;
  for (std::size_t i = 0; i < names_->size(); ++i) {
    if ((*names_)[i] == name) return i;
    known += (i == 0 ? "`" : ", `") + (*names_)[i] + "`";
  }
  throw Error(ErrorCode::invalid_argument, "Outputs",
              "no such output: expected one of " + known + ", got name=`" + std::string(name) + "`.");
}

std::string_view version() noexcept { return GLUONNX_LOADER_VERSION; }

}  // namespace gluonnx
