// Model: an ONNX Runtime session behind checks of our own.
#include <gluonnx/loader.hpp>

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>

namespace gluonnx {
namespace {

std::string ticked(std::string_view name) { return "`" + std::string(name) + "`"; }

template <class Named>
std::string listed(const Named* named, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + ticked(named[i].name);
  return text.empty() ? "none" : text;
}

std::string listed(const std::vector<ValueInfo>& infos) { return listed(infos.data(), infos.size()); }

// Source: onnxruntime_c_api.h, ONNXTensorElementDataType, whose numbers are those of TensorProto.DataType, as ours are.
static_assert(static_cast<int>(DType::float32) == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
static_assert(static_cast<int>(DType::boolean) == ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL);
static_assert(static_cast<int>(DType::uint64) == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64);
static_assert(static_cast<int>(DType::bfloat16) == ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16);

std::optional<DType> dtype_from(ONNXTensorElementDataType type) {
  const auto dtype = static_cast<DType>(type);
  switch (dtype) {
    case DType::float32:
    case DType::uint8:
    case DType::int8:
    case DType::uint16:
    case DType::int16:
    case DType::int32:
    case DType::int64:
    case DType::boolean:
    case DType::float16:
    case DType::float64:
    case DType::uint32:
    case DType::uint64:
    case DType::bfloat16:
      return dtype;
  }
  return std::nullopt;  // strings, complex numbers and what later versions of ONNX add
}

// Every use of ONNX Runtime begins here: a library older than the headers has no table of functions for them.
void require_onnxruntime() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Version "1.N.P" has the functions up to N. Asked for more, GetApi prints a line of its own.
    constexpr std::string_view major = "1.";
    const std::string_view version = OrtGetApiBase()->GetVersionString();
    std::uint32_t minor = 0;
    if (version.substr(0, major.size()) == major) {
      std::from_chars(version.data() + major.size(), version.data() + version.size(), minor);
    }
    const OrtApi* api = minor >= ORT_API_VERSION ? OrtGetApiBase()->GetApi(ORT_API_VERSION) : nullptr;
    if (api == nullptr) {
      throw Error(ErrorCode::unsupported, "ONNX Runtime",
                  "the library is too old: expected version 1." + std::to_string(ORT_API_VERSION) +
                      " or later, got version=" + std::string(version) +
                      ". Build against a later library or with earlier headers.");
    }
    Ort::InitApi(api);
  });
}

// A user of ONNX Runtime's environment, of which a process has one. ONNX Runtime counts its users, but when one thread
// lets go of the last while another asks for the first, it may find two and fail; so they take turns.
class Environment {
 public:
  // The check comes before the member: even an empty Ort::Env calls the table of functions when it is destroyed.
  explicit Environment(OrtLoggingLevel level) : env_((require_onnxruntime(), nullptr)) {
    const std::lock_guard<std::mutex> lock(turn());
    env_ = Ort::Env(level, "gluonnx");
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    const std::lock_guard<std::mutex> lock(turn());
    env_ = Ort::Env(nullptr);
  }
  [[nodiscard]] const Ort::Env& get() const noexcept { return env_; }

 private:
  static std::mutex& turn() {
    static std::mutex mutex;
    return mutex;
  }

  Ort::Env env_;
};

// ONNX Runtime's texts span lines; ours are one line.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool is_space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!is_space) line += c;
    else if (!line.empty() && line.back() != ' ') line += ' ';
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

// The number of the CUDA device, or nothing for the CPU.
std::optional<int> parse_device(const std::string& device) {
  constexpr std::string_view prefix = "cuda:";
  if (device == "cpu") return std::nullopt;
  if (device == "cuda") return 0;
  int index = -1;
  if (device.compare(0, prefix.size(), prefix) == 0) {
    const char* const end = device.data() + device.size();
    const auto [parsed, problem] = std::from_chars(device.data() + prefix.size(), end, index);
    if (problem == std::errc() && parsed == end && index >= 0) return index;
  }
  throw Error(ErrorCode::invalid_argument, "Options::device",
              "unknown device: expected cpu, cuda or cuda:N, got device=" + ticked(device) + ".");
}

GraphOptimizationLevel graph_optimization(Optimization optimization) {
  switch (optimization) {
    case Optimization::none:
      return ORT_DISABLE_ALL;
    case Optimization::basic:
      return ORT_ENABLE_BASIC;
    case Optimization::extended:
      return ORT_ENABLE_EXTENDED;
    case Optimization::all:
      return ORT_ENABLE_ALL;
  }
  throw Error(ErrorCode::invalid_argument, "Options::optimization",
              "unknown level: expected none, basic, extended or all, got " +
                  std::to_string(static_cast<int>(optimization)) + ".");
}

OrtLoggingLevel logging_level(LogSeverity severity) {
  const int level = static_cast<int>(severity);
  if (level < ORT_LOGGING_LEVEL_VERBOSE || level > ORT_LOGGING_LEVEL_FATAL) {
    throw Error(ErrorCode::invalid_argument, "Options::log",
                "unknown severity: expected 0 (verbose) to 4 (fatal), got log=" + std::to_string(level) + ".");
  }
  return static_cast<OrtLoggingLevel>(level);
}

void use_cuda(Ort::SessionOptions& options, int device) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* created = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&created));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> cuda(
      created, api.ReleaseCUDAProviderOptions);
  const std::string number = std::to_string(device);
  const std::array<const char*, 1> keys{"device_id"};
  const std::array<const char*, 1> values{number.c_str()};
  Ort::ThrowOnError(api.UpdateCUDAProviderOptions(cuda.get(), keys.data(), values.data(), keys.size()));
  options.AppendExecutionProvider_CUDA_V2(*cuda);
}

Ort::SessionOptions session_options(const Options& options) {
  const std::optional<int> cuda_device = parse_device(options.device);
  if (options.threads < 0) {
    throw Error(ErrorCode::invalid_argument, "Options::threads",
                "negative number: expected 0 (one for each core) or more, got threads=" +
                    std::to_string(options.threads) + ".");
  }
  Ort::SessionOptions result;
  result.SetIntraOpNumThreads(options.threads);
  result.SetGraphOptimizationLevel(graph_optimization(options.optimization));
  result.SetLogSeverityLevel(logging_level(options.log));
  if (!cuda_device) return result;
  try {
    use_cuda(result, *cuda_device);
  } catch (const Ort::Exception& error) {
    throw Error(ErrorCode::unsupported, "Options::device",
                "CUDA cannot be used: expected ONNX Runtime's CUDA libraries and a driver, got \"" +
                    one_line(error.what()) +
                    "\". Install the GPU build of ONNX Runtime with the CUDA and cuDNN it names, or use device=cpu.");
  }
  return result;
}

Error load_error(const std::string& name, const std::string& device, const Ort::Exception& error) {
  const std::string got = "got \"" + one_line(error.what()) + "\"";
  const OrtErrorCode code = error.GetOrtErrorCode();
  const bool is_about_file = code == ORT_INVALID_PROTOBUF || code == ORT_INVALID_GRAPH || code == ORT_NO_MODEL ||
                             code == ORT_INVALID_ARGUMENT || code == ORT_NO_SUCHFILE;
  if (is_about_file || (code == ORT_FAIL && device == "cpu")) {
    return {
        ErrorCode::bad_format, name,
        "the model cannot be loaded: expected a whole ONNX model, " + got + ". Check the file, or export it again."};
  }
  return {ErrorCode::unsupported, name,
          "ONNX Runtime " + onnxruntime_version() + " cannot run this model on device " + device +
              ": expected operators and a device that it has, " + got + "."};
}

}  // namespace

struct Model::Impl {
  Impl(std::string name, const Options& options);

  void read_signature();
  ValueInfo value_info(std::string_view kind, std::string name, const Ort::TypeInfo& type) const;
  [[nodiscard]] std::size_t input_index(std::string_view given) const;
  void check(const ValueInfo& expected, const TensorView& given) const;
  Outputs run(const Input* given, std::size_t given_count, const std::vector<const char*>& wanted,
              std::shared_ptr<const std::vector<std::string>> names) const;

  std::string name_;         // the path, in messages
  Environment environment_;  // outlives the session
  Ort::MemoryInfo cpu_;
  mutable Ort::Session session_{nullptr};  // Run is safe from many threads, though not declared const
  std::vector<ValueInfo> inputs_;
  std::vector<ValueInfo> outputs_;
  std::vector<const char*> input_names_;   // point into inputs_
  std::vector<const char*> output_names_;  // point into all_names_
  std::shared_ptr<const std::vector<std::string>> all_names_;
  std::map<std::string, std::string> metadata_;
};

Model::Impl::Impl(std::string name, const Options& options)
    : name_(std::move(name)),
      environment_(logging_level(options.log)),
      cpu_(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU)) {}

ValueInfo Model::Impl::value_info(std::string_view kind, std::string name, const Ort::TypeInfo& type) const {
  const std::string what = std::string(kind) + " " + ticked(name);
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
    throw Error(ErrorCode::unsupported, name_,
                what + " is not a tensor: expected tensors only, got a sequence, map, optional or sparse value.");
  }
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  const std::optional<DType> dtype = dtype_from(tensor.GetElementType());
  if (!dtype) {
    throw Error(ErrorCode::unsupported, name_,
                what + " has elements of an unsupported type: expected numbers or bools, got ONNX element type " +
                    std::to_string(static_cast<int>(tensor.GetElementType())) + ".");
  }
  return {std::move(name), *dtype, tensor.GetShape()};
}

void Model::Impl::read_signature() {
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    inputs_.push_back(
        value_info("input", session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
    outputs_.push_back(
        value_info("output", session_.GetOutputNameAllocated(i, allocator).get(), session_.GetOutputTypeInfo(i)));
    names.push_back(outputs_.back().name);
  }
  all_names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
  for (const ValueInfo& input : inputs_) input_names_.push_back(input.name.c_str());
  for (const std::string& output : *all_names_) output_names_.push_back(output.c_str());

  const Ort::ModelMetadata metadata = session_.GetModelMetadata();
  for (const Ort::AllocatedStringPtr& key : metadata.GetCustomMetadataMapKeysAllocated(allocator)) {
    metadata_.emplace(key.get(), metadata.LookupCustomMetadataMapAllocated(key.get(), allocator).get());
  }
}

std::size_t Model::Impl::input_index(std::string_view given) const {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].name == given) return i;
  }
  throw Error(ErrorCode::invalid_argument, name_,
              "unknown input: expected " + listed(inputs_) + ", got " + ticked(given) + ".");
}

void Model::Impl::check(const ValueInfo& expected, const TensorView& given) const {
  const auto fail = [&](std::string_view what) {
    throw Error(ErrorCode::invalid_argument, name_,
                "input " + ticked(expected.name) + " has the wrong " + std::string(what) + ": expected " +
                    std::string(dtype_name(expected.dtype)) + " " + to_string(expected.shape) + ", got " +
                    std::string(dtype_name(given.dtype())) + " " + to_string(given.shape()) +
                    (what == "dtype" ? ". Convert the array." : ". -1 stands for any size."));
  };
  if (given.dtype() != expected.dtype) fail("dtype");
  if (given.shape().size() != expected.shape.size()) fail("rank");
  for (std::size_t axis = 0; axis < expected.shape.size(); ++axis) {
    if (expected.shape[axis] >= 0 && expected.shape[axis] != given.shape()[axis]) fail("shape");
  }
  if (given.data() == nullptr && given.size() > 0) fail("data (a null pointer)");
}

Outputs Model::Impl::run(const Input* given, std::size_t given_count, const std::vector<const char*>& wanted,
                         std::shared_ptr<const std::vector<std::string>> names) const {
  std::vector<Ort::Value> values;
  values.reserve(inputs_.size() + wanted.size());
  for (std::size_t i = 0; i < inputs_.size() + wanted.size(); ++i) values.emplace_back(nullptr);
  Ort::Value* const answers = values.data() + inputs_.size();

  try {
    for (std::size_t i = 0; i < given_count; ++i) {
      const std::size_t index = input_index(given[i].name);
      const TensorView& view = given[i].value;
      check(inputs_[index], view);
      if (values[index]) {
        throw Error(ErrorCode::invalid_argument, name_,
                    "input " + ticked(given[i].name) + " is given twice: expected each input once.");
      }
      values[index] = Ort::Value::CreateTensor(cpu_, const_cast<void*>(view.data()),  // ONNX Runtime only reads inputs
                                               view.size_bytes(), view.shape().data(), view.shape().size(),
                                               static_cast<ONNXTensorElementDataType>(view.dtype()));
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (values[i]) continue;
      throw Error(ErrorCode::invalid_argument, name_,
                  "input " + ticked(inputs_[i].name) + " is missing: expected " + listed(inputs_) + ", got " +
                      listed(given, given_count) + ".");
    }
    session_.Run(Ort::RunOptions{nullptr}, input_names_.data(), values.data(), inputs_.size(), wanted.data(), answers,
                 wanted.size());

    std::vector<Tensor> tensors;
    tensors.reserve(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto info = answers[i].GetTensorTypeAndShapeInfo();
      const std::optional<DType> dtype = dtype_from(info.GetElementType());
      if (!dtype)
        throw Error(ErrorCode::runtime, name_, "output " + ticked(wanted[i]) + " is not an array of numbers.");
      void* const data = answers[i].GetTensorMutableRawData();
      tensors.emplace_back(
          *dtype, info.GetShape(),
          Tensor::Owner(answers[i].release(),
                        [](void* value) { Ort::GetApi().ReleaseValue(static_cast<OrtValue*>(value)); }),
          data);
    }
    return {std::move(names), std::move(tensors)};
  } catch (const Ort::Exception& error) {
    throw Error(ErrorCode::runtime, name_, "ONNX Runtime failed to run the model: \"" + one_line(error.what()) + "\".");
  }
}

Model::Model(const std::filesystem::path& path, const Options& options) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(path, problem);
  if (!std::filesystem::exists(status)) {
    throw Error(ErrorCode::not_found, path.string(), "no such file: expected an ONNX model.");
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::bad_format, path.string(), "not a file: expected an ONNX model.");
  }
  auto impl = std::make_unique<Impl>(path.string(), options);
  const Ort::SessionOptions session = session_options(options);
  try {
    impl->session_ = Ort::Session(impl->environment_.get(), path.c_str(), session);
    impl->read_signature();
  } catch (const Ort::Exception& error) {
    throw load_error(path.string(), options.device, error);
  }
  impl_ = std::move(impl);
}

Model::Model(Span<const std::byte> bytes, std::string name, const Options& options) {
  auto impl = std::make_unique<Impl>(name, options);
  const Ort::SessionOptions session = session_options(options);
  try {
    impl->session_ = Ort::Session(impl->environment_.get(), bytes.data(), bytes.size(), session);
    impl->read_signature();
  } catch (const Ort::Exception& error) {
    throw load_error(name, options.device, error);
  }
  impl_ = std::move(impl);
}

Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const std::vector<ValueInfo>& Model::inputs() const noexcept { return impl_->inputs_; }
const std::vector<ValueInfo>& Model::outputs() const noexcept { return impl_->outputs_; }
const std::map<std::string, std::string>& Model::metadata() const noexcept { return impl_->metadata_; }

Outputs Model::run(std::initializer_list<Input> inputs) const {
  return impl_->run(inputs.begin(), inputs.size(), impl_->output_names_, impl_->all_names_);
}

Outputs Model::run(const std::vector<Input>& inputs) const {
  return impl_->run(inputs.data(), inputs.size(), impl_->output_names_, impl_->all_names_);
}

Outputs Model::run(const std::vector<Input>& inputs, const std::vector<std::string>& output_names) const {
  if (output_names.empty()) {
    throw Error(ErrorCode::invalid_argument, impl_->name_,
                "no output asked for: expected some of " + listed(impl_->outputs_) + ", got none.");
  }
  std::vector<const char*> wanted;
  wanted.reserve(output_names.size());
  for (const std::string& name : output_names) {
    const auto same_name = [&](const ValueInfo& info) { return info.name == name; };
    if (std::none_of(impl_->outputs_.begin(), impl_->outputs_.end(), same_name)) {
      throw Error(ErrorCode::invalid_argument, impl_->name_,
                  "unknown output: expected some of " + listed(impl_->outputs_) + ", got " + ticked(name) + ".");
    }
    wanted.push_back(name.c_str());
  }
  return impl_->run(inputs.data(), inputs.size(), wanted,
                    std::make_shared<const std::vector<std::string>>(output_names));
}

std::string onnxruntime_version() { return OrtGetApiBase()->GetVersionString(); }

}  // namespace gluonnx
