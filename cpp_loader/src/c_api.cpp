// The C API: the C++ one behind opaque handles. Every function that can fail goes through `guarded`.
#include <gluonnx/loader.h>

#include <gluonnx/loader.hpp>

#include <cstring>
#include <memory>

// C sees the C++ numbers under its own names.
static_assert(GLUONNX_INVALID_ARGUMENT == static_cast<int>(gluonnx::ErrorCode::invalid_argument));
static_assert(GLUONNX_NOT_FOUND == static_cast<int>(gluonnx::ErrorCode::not_found));
static_assert(GLUONNX_BAD_FORMAT == static_cast<int>(gluonnx::ErrorCode::bad_format));
static_assert(GLUONNX_IO == static_cast<int>(gluonnx::ErrorCode::io));
static_assert(GLUONNX_UNSUPPORTED == static_cast<int>(gluonnx::ErrorCode::unsupported));
static_assert(GLUONNX_RUNTIME == static_cast<int>(gluonnx::ErrorCode::runtime));
static_assert(GLUONNX_FLOAT32 == static_cast<int>(gluonnx::DType::float32));
static_assert(GLUONNX_UINT8 == static_cast<int>(gluonnx::DType::uint8));
static_assert(GLUONNX_INT8 == static_cast<int>(gluonnx::DType::int8));
static_assert(GLUONNX_UINT16 == static_cast<int>(gluonnx::DType::uint16));
static_assert(GLUONNX_INT16 == static_cast<int>(gluonnx::DType::int16));
static_assert(GLUONNX_INT32 == static_cast<int>(gluonnx::DType::int32));
static_assert(GLUONNX_INT64 == static_cast<int>(gluonnx::DType::int64));
static_assert(GLUONNX_BOOL == static_cast<int>(gluonnx::DType::boolean));
static_assert(GLUONNX_FLOAT16 == static_cast<int>(gluonnx::DType::float16));
static_assert(GLUONNX_FLOAT64 == static_cast<int>(gluonnx::DType::float64));
static_assert(GLUONNX_UINT32 == static_cast<int>(gluonnx::DType::uint32));
static_assert(GLUONNX_UINT64 == static_cast<int>(gluonnx::DType::uint64));
static_assert(GLUONNX_BFLOAT16 == static_cast<int>(gluonnx::DType::bfloat16));

struct gluonnx_model {
  gluonnx::Model model;
};

struct gluonnx_outputs {
  gluonnx::Outputs outputs;
};

namespace {

// One for each thread, as errno is: the only state outside of an object in this library.
std::string& last_error() {
  thread_local std::string message;
  return message;
}

gluonnx_status remember(gluonnx_status status, const char* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {  // no memory even for the message
    last_error().clear();
  }
  return status;
}

template <class Work>
gluonnx_status guarded(const Work& work) noexcept {
  try {
    work();
    return GLUONNX_OK;
  } catch (const gluonnx::Error& error) {
    return remember(static_cast<gluonnx_status>(error.code()), error.what());
  } catch (const std::exception& error) {
    return remember(GLUONNX_INTERNAL, error.what());
  } catch (...) {
    return remember(GLUONNX_INTERNAL, "unknown exception");
  }
}

void require_pointer(const void* pointer, const char* function, const char* parameter) {
  if (pointer != nullptr) return;
  throw gluonnx::Error(gluonnx::ErrorCode::invalid_argument, function,
                       std::string("null pointer: expected an address, got ") + parameter + "=NULL.");
}

gluonnx::Options cpp_options(const gluonnx_options& options) {
  gluonnx::Options result;
  if (options.device != nullptr) result.device = options.device;
  result.threads = options.threads;
  result.optimization = static_cast<gluonnx::Optimization>(options.optimization);
  result.log = static_cast<gluonnx::LogSeverity>(options.log_severity);
  return result;
}

gluonnx::Input cpp_input(const gluonnx_tensor& tensor) {
  require_pointer(tensor.name, "gluonnx_model_run", "name");
  if (tensor.rank > 0) require_pointer(tensor.shape, "gluonnx_model_run", "shape");
  gluonnx::Shape shape(tensor.shape, tensor.shape + tensor.rank);
  return {tensor.name, {static_cast<gluonnx::DType>(tensor.dtype), tensor.data, tensor.size_bytes, std::move(shape)}};
}

gluonnx_tensor c_tensor(const std::vector<gluonnx::ValueInfo>& infos, std::size_t index) noexcept {
  if (index >= infos.size()) return {};
  const gluonnx::ValueInfo& info = infos[index];
  return {info.name.c_str(), static_cast<gluonnx_dtype>(info.dtype), info.shape.data(), info.shape.size(), nullptr, 0};
}

}  // namespace

extern "C" {

gluonnx_status gluonnx_model_load(const char* path, const gluonnx_options* options, gluonnx_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded([&] {
    require_pointer(path, "gluonnx_model_load", "path");
    require_pointer(model, "gluonnx_model_load", "model");
    const gluonnx_options& given = options != nullptr ? *options : GLUONNX_OPTIONS_DEFAULT;
    *model = std::make_unique<gluonnx_model>(gluonnx_model{gluonnx::Model(path, cpp_options(given))}).release();
  });
}

void gluonnx_model_free(gluonnx_model* model) { std::unique_ptr<gluonnx_model>(model).reset(); }

size_t gluonnx_model_input_count(const gluonnx_model* model) { return model->model.inputs().size(); }

size_t gluonnx_model_output_count(const gluonnx_model* model) { return model->model.outputs().size(); }

gluonnx_tensor gluonnx_model_input(const gluonnx_model* model, size_t index) {
  return c_tensor(model->model.inputs(), index);
}

gluonnx_tensor gluonnx_model_output(const gluonnx_model* model, size_t index) {
  return c_tensor(model->model.outputs(), index);
}

const char* gluonnx_model_metadata(const gluonnx_model* model, const char* key) {
  for (const auto& [name, value] : model->model.metadata()) {  // no std::string for the key: nothing here can throw
    if (name == std::string_view(key)) return value.c_str();
  }
  return nullptr;
}

gluonnx_status gluonnx_model_run(const gluonnx_model* model, const gluonnx_tensor* inputs, size_t input_count,
                                 gluonnx_outputs** outputs) {
  if (outputs != nullptr) *outputs = nullptr;
  return guarded([&] {
    require_pointer(model, "gluonnx_model_run", "model");
    require_pointer(outputs, "gluonnx_model_run", "outputs");
    if (input_count > 0) require_pointer(inputs, "gluonnx_model_run", "inputs");
    std::vector<gluonnx::Input> given;
    given.reserve(input_count);
    for (size_t i = 0; i < input_count; ++i) given.push_back(cpp_input(inputs[i]));
    *outputs = std::make_unique<gluonnx_outputs>(gluonnx_outputs{model->model.run(given)}).release();
  });
}

size_t gluonnx_outputs_count(const gluonnx_outputs* outputs) { return outputs->outputs.size(); }

gluonnx_tensor gluonnx_outputs_get(const gluonnx_outputs* outputs, size_t index) {
  if (index >= outputs->outputs.size()) return {};
  const gluonnx::Tensor& tensor = outputs->outputs.begin()[static_cast<std::ptrdiff_t>(index)];
  return {outputs->outputs.names()[index].c_str(),
          static_cast<gluonnx_dtype>(tensor.dtype()),
          tensor.shape().data(),
          tensor.shape().size(),
          tensor.data(),
          tensor.size_bytes()};
}

void gluonnx_outputs_free(gluonnx_outputs* outputs) { std::unique_ptr<gluonnx_outputs>(outputs).reset(); }

const char* gluonnx_last_error(void) { return last_error().c_str(); }

}  // extern "C"
