#include "support.hpp"

#include <gluonnx/npy.hpp>

#include <atomic>
#include <cstring>
#include <thread>

using namespace gluonnx;
using namespace gluonnx::test;

namespace {

const std::vector<float> left{1, 2, 3, 4, 5, 6};
const std::vector<float> right{10, 20, 30, 40, 50, 60};

Error run_error(const Model& model, const std::vector<Input>& inputs) {
  return error_of([&] { static_cast<void>(model.run(inputs)); });
}

}  // namespace

TEST_CASE("a model says what goes in and comes out") {
  const Model model(data("two_inputs.onnx"));
  REQUIRE(model.inputs().size() == 2);
  CHECK(model.inputs()[0].name == "left");
  CHECK(model.inputs()[0].dtype == DType::float32);
  CHECK(model.inputs()[0].shape == Shape{-1, 3});
  REQUIRE(model.outputs().size() == 2);
  CHECK(model.outputs()[1].name == "count");
  CHECK(model.outputs()[1].dtype == DType::int64);
  CHECK(model.outputs()[1].shape.empty());
  CHECK(model.metadata() ==
        std::map<std::string, std::string>{{"gluonnx.note", "two inputs, \"quoted\""}, {"empty", ""}});
}

TEST_CASE("inputs go by name, outputs by position and name") {
  const Model model(data("two_inputs.onnx"));
  const Outputs outputs = model.run({{"right", {right, {2, 3}}}, {"left", {left, {2, 3}}}});
  CHECK(outputs.size() == 2);
  CHECK(outputs.names() == std::vector<std::string>{"total", "count"});
  CHECK(outputs[0].shape() == Shape{2, 3});
  CHECK(to_vector(outputs["total"].values<float>()) == std::vector<float>{11, 22, 33, 44, 55, 66});
  CHECK(outputs["count"].values<std::int64_t>()[0] == 6);
  CHECK(contains(error_of([&] { static_cast<void>(outputs["sum"]); }).detail(),
                 "expected one of `total`, `count`, got name=`sum`"));
  CHECK(contains(error_of([&] { static_cast<void>(outputs[2]); }).detail(), "expected an index below 2, got index=2"));
}

TEST_CASE("the batch size is each call's own, zero included") {
  const Model model(data("two_inputs.onnx"));
  for (const std::int64_t batch : {1, 2, 7, 0}) {
    const std::vector<float> ones(static_cast<std::size_t>(batch) * 3, 1.0F);
    const Outputs outputs = model.run({{"left", {ones, {batch, 3}}}, {"right", {ones, {batch, 3}}}});
    CHECK(outputs[0].shape() == Shape{batch, 3});
    CHECK(to_vector(outputs[0].values<float>()) == std::vector<float>(ones.size(), 2.0F));
  }
}

TEST_CASE("some outputs, in the order asked for") {
  const Model model(data("two_inputs.onnx"));
  const std::vector<Input> inputs{{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}};
  const Outputs outputs = model.run(inputs, {"count"});
  CHECK(outputs.size() == 1);
  CHECK(outputs["count"].values<std::int64_t>()[0] == 6);
  CHECK(model.run(inputs, {"count", "total"}).names() == std::vector<std::string>{"count", "total"});
  CHECK(contains(error_of([&] { static_cast<void>(model.run(inputs, {"sum"})); }).detail(),
                 "unknown output: expected some of `total`, `count`, got `sum`"));
  CHECK(contains(error_of([&] { static_cast<void>(model.run(inputs, {})); }).detail(), "no output asked for"));
}

TEST_CASE("every element type goes in and comes out unchanged") {
  const Model model(data("identities.onnx"));
  std::vector<Tensor> tensors;
  std::vector<Input> inputs;
  for (const ValueInfo& info : model.inputs()) {
    Tensor& tensor = tensors.emplace_back(info.dtype, Shape{3});
    auto* const bytes = static_cast<unsigned char*>(tensor.data());
    for (std::size_t i = 0; i < tensor.size_bytes(); ++i) bytes[i] = static_cast<unsigned char>(i % 2);
    inputs.push_back({info.name, tensor});
  }
  REQUIRE(tensors.size() == 13);
  const Outputs outputs = model.run(inputs);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(outputs.names()[i]);
    CHECK(outputs.names()[i] == "out_" + std::string(dtype_name(tensors[i].dtype())));
    CHECK(outputs[i].dtype() == tensors[i].dtype());
    REQUIRE(outputs[i].size_bytes() == tensors[i].size_bytes());
    CHECK(std::memcmp(outputs[i].data(), tensors[i].data(), tensors[i].size_bytes()) == 0);
  }
}

TEST_CASE("the answer is Python's") {
  const Model model(data("digits-0000.onnx"));
  const Tensor input = read_npy(data("digits-input.npy"));
  const Tensor expected = read_npy(data("digits-expected.npy"));
  const Outputs outputs = model.run({{"data", input}});
  REQUIRE(outputs[0].shape() == expected.shape());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(outputs[0].values<float>()[i] == doctest::Approx(expected.values<float>()[i]).epsilon(1e-5));
  }
}

TEST_CASE("a model from memory is the model from the file") {
  const std::string file = file_bytes(data("two_inputs.onnx"));
  std::vector<std::byte> bytes(file.size());
  std::memcpy(bytes.data(), file.data(), file.size());
  const Model model(Span<const std::byte>(bytes.data(), bytes.size()), "memory");
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  const Outputs outputs = model.run({{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}});
  CHECK(outputs[0].values<float>()[5] == 66);
  const Error error = error_of([&] { Model(Span<const std::byte>(bytes.data(), bytes.size()), "memory"); });
  CHECK(error.code() == ErrorCode::bad_format);
  CHECK(error.where() == "memory");
}

TEST_CASE("outputs outlive their model, tensors their outputs") {
  Tensor total = [] {
    const Model model(data("two_inputs.onnx"));
    return model.run({{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}})["total"];
  }();
  CHECK(to_vector(Span<const float>(total.values<float>().data(), 6)) == std::vector<float>{11, 22, 33, 44, 55, 66});
  total.values<float>()[0] = 0;
}

TEST_CASE("a moved model runs") {
  Model first(data("two_inputs.onnx"));
  Model second = std::move(first);
  first = std::move(second);
  CHECK(first.run({{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}})[0].size() == 6);
}

TEST_CASE("many threads run one model at once, each on its own input") {
  constexpr int thread_count = 8;
  constexpr int runs = 200;
  const Model model(data("two_inputs.onnx"), Options{"cpu", 1, Optimization::all, LogSeverity::fatal});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < thread_count; ++id) {
    threads.emplace_back([&, id] {
      for (int i = 0; i < runs; ++i) {
        const std::vector<float> mine(3, static_cast<float>(id * runs + i));
        const Outputs outputs = model.run({{"left", {mine, {1, 3}}}, {"right", {mine, {1, 3}}}});
        for (const float value : outputs[0].values<float>()) wrong += value != 2 * mine[0];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("models come and go on many threads") {
  std::atomic<int> right_answers{0};
  std::vector<std::thread> threads;
  for (int id = 0; id < 2; ++id) {  // two, so that one often lets go of the last model while the other loads
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        const Model model(data("two_inputs.onnx"), Options{"cpu", 1, Optimization::all, LogSeverity::fatal});
        right_answers += model.run({{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}})[0].size() == 6;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right_answers == 600);
}

TEST_CASE("wrong inputs are named with what is expected and what was given") {
  const Model model(data("two_inputs.onnx"));
  const Input good{"left", {left, {2, 3}}};
  const std::vector<double> doubles(6);
  const std::string where = data("two_inputs.onnx").string();

  Error error = run_error(model, {good});
  CHECK(error.code() == ErrorCode::invalid_argument);
  CHECK(error.where() == where);
  CHECK(error.detail() == "input `right` is missing: expected `left`, `right`, got `left`.");
  CHECK(run_error(model, {}).detail() == "input `left` is missing: expected `left`, `right`, got none.");
  CHECK(run_error(model, {good, {"rigth", {right, {2, 3}}}}).detail() ==
        "unknown input: expected `left`, `right`, got `rigth`.");
  CHECK(run_error(model, {good, good}).detail() == "input `left` is given twice: expected each input once.");
  CHECK(run_error(model, {good, {"right", {doubles, {2, 3}}}}).detail() ==
        "input `right` has the wrong dtype: expected float32 [-1, 3], got float64 [2, 3]. Convert the array.");
  CHECK(run_error(model, {good, {"right", {right, {6}}}}).detail() ==
        "input `right` has the wrong rank: expected float32 [-1, 3], got float32 [6]. -1 stands for any size.");
  CHECK(run_error(model, {good, {"right", {right, {3, 2}}}}).detail() ==
        "input `right` has the wrong shape: expected float32 [-1, 3], got float32 [3, 2]. -1 stands for any size.");
  const float* const null = nullptr;
  CHECK(contains(run_error(model, {good, {"right", {null, 6, {2, 3}}}}).detail(), "wrong data (a null pointer)"));
}

TEST_CASE("what only ONNX Runtime can see is its message in ours") {
  const Model model(data("reshape.onnx"));
  const std::vector<float> five(5);
  const Error error = run_error(model, {{"data", {five, {5}}}});
  CHECK(error.code() == ErrorCode::runtime);
  CHECK(contains(error.detail(), "ONNX Runtime failed to run the model: \""));
  CHECK(contains(error.detail(), "Reshape"));
  CHECK(!contains(error.detail(), "\n"));
}

TEST_CASE("files that are no model") {
  Scratch scratch;
  Error error = error_of([&] { Model(scratch / "none.onnx"); });
  CHECK(error.code() == ErrorCode::not_found);
  CHECK(std::string(error.what()) == (scratch / "none.onnx").string() + ": no such file: expected an ONNX model.");
  CHECK(error_of([&] { Model(std::filesystem::path(GLUONNX_TEST_DATA)); }).code() == ErrorCode::bad_format);
  write_bytes(scratch / "text.onnx", "this is not a model\n");
  write_bytes(scratch / "empty.onnx", "");
  const std::string whole = file_bytes(data("digits-0000.onnx"));
  write_bytes(scratch / "cut.onnx", whole.substr(0, whole.size() / 2));
  for (const char* name : {"text.onnx", "empty.onnx", "cut.onnx"}) {
    CAPTURE(name);
    error = error_of([&] { Model(scratch / name); });
    CHECK(error.code() == ErrorCode::bad_format);
    CHECK(error.where() == (scratch / name).string());
    CHECK(contains(error.detail(), "the model cannot be loaded: expected a whole ONNX model, got \""));
  }
  error = error_of([&] { Model(data("strings.onnx")); });
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.detail(), "input `text` has elements of an unsupported type"));
  CHECK(contains(error.detail(), "got ONNX element type 8"));
}

TEST_CASE("wrong options") {
  const auto detail = [](const Options& options) {
    const Error error = error_of([&] { Model(data("two_inputs.onnx"), options); });
    CHECK(error.code() == ErrorCode::invalid_argument);
    return std::string(error.what());
  };
  for (const char* device : {"gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", ""}) {
    Options options;
    options.device = device;
    CHECK(detail(options) ==
          "Options::device: unknown device: expected cpu, cuda or cuda:N, got device=`" + std::string(device) + "`.");
  }
  Options options;
  options.threads = -1;
  CHECK(contains(detail(options), "got threads=-1"));
  options = {};
  options.optimization = static_cast<Optimization>(9);
  CHECK(contains(detail(options), "Options::optimization: unknown level"));
  options = {};
  options.log = static_cast<LogSeverity>(7);
  CHECK(contains(detail(options), "got log=7"));
}

TEST_CASE("CUDA gives the answer or says what it lacks") {
  Options options;
  options.device = "cuda:0";
  try {
    const Model model(data("two_inputs.onnx"), options);
    const Outputs outputs = model.run({{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}});
    CHECK(to_vector(outputs[0].values<float>()) == std::vector<float>{11, 22, 33, 44, 55, 66});
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unsupported);
    CHECK(contains(error.what(), "expected "));
  }
}

TEST_CASE("every optimization level gives the answer") {
  for (const Optimization level :
       {Optimization::none, Optimization::basic, Optimization::extended, Optimization::all}) {
    Options options;
    options.optimization = level;
    const Model model(data("two_inputs.onnx"), options);
    const Outputs outputs = model.run({{"left", {left, {2, 3}}}, {"right", {right, {2, 3}}}});
    CHECK(outputs[0].values<float>()[0] == 11);
  }
}
