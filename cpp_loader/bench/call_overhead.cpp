// What Model::run costs over ONNX Runtime itself, on a model whose own work is next to nothing.
//
// Usage: gluonnx_bench MODEL.onnx [RUNS]      one float32 input, one float32 output, dynamic axes are taken as 1
//
// Four ways take turns in rounds, so that a slower moment of the machine meets all of them alike:
//   bound         Ort::Session::Run with one IoBinding made beforehand, output memory included: the least there is
//   preallocated  Ort::Session::Run with input and output values made beforehand
//   fresh         Ort::Session::Run with values made in each call and the output allocated by ONNX Runtime
//   model         gluonnx::Model::run with its checks, names and an output that the caller owns
#include <gluonnx/loader.hpp>

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>

namespace {

constexpr int rounds = 21;

gluonnx::Shape with_ones(gluonnx::Shape shape) {
  for (std::int64_t& size : shape) size = std::max<std::int64_t>(size, 1);
  return shape;
}

double microseconds_each(int runs, const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / runs;
}

void bench(const std::string& path, int runs) {
  gluonnx::Options options;
  options.threads = 1;
  const gluonnx::Model model(path, options);
  const std::string input_name = model.inputs().at(0).name;
  const std::string output_name = model.outputs().at(0).name;
  const gluonnx::Shape input_shape = with_ones(model.inputs()[0].shape);
  const gluonnx::Tensor input(model.inputs()[0].dtype, input_shape);
  const gluonnx::Shape output_shape = model.run({{input_name, input}})[0].shape();

  Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "bench");
  Ort::SessionOptions session_options;
  session_options.SetIntraOpNumThreads(1);
  Ort::Session session(env, path.c_str(), session_options);
  const auto cpu = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  const Ort::RunOptions run_options;
  const std::array<const char*, 1> input_names{input_name.c_str()};
  const std::array<const char*, 1> output_names{output_name.c_str()};
  std::vector<float> input_memory(gluonnx::element_count(input_shape));
  std::vector<float> output_memory(gluonnx::element_count(output_shape));
  const auto value = [&](std::vector<float>& memory, const gluonnx::Shape& shape) {
    return Ort::Value::CreateTensor<float>(cpu, memory.data(), memory.size(), shape.data(), shape.size());
  };
  Ort::Value input_value = value(input_memory, input_shape);
  Ort::Value output_value = value(output_memory, output_shape);
  Ort::IoBinding binding(session);
  binding.BindInput(input_names[0], input_value);
  binding.BindOutput(output_names[0], output_value);

  struct Way {
    const char* name;
    std::function<void()> call;
    std::vector<double> times_us;
  };
  std::vector<Way> ways{
      {"bound", [&] { session.Run(run_options, binding); }, {}},
      {"preallocated",
       [&] { session.Run(run_options, input_names.data(), &input_value, 1, output_names.data(), &output_value, 1); },
       {}},
      {"fresh",
       [&] {
         const Ort::Value fresh = value(input_memory, input_shape);
         static_cast<void>(session.Run(run_options, input_names.data(), &fresh, 1, output_names.data(), 1));
       },
       {}},
      {"model", [&] { static_cast<void>(model.run({{input_name, input}})); }, {}},
  };
  for (Way& way : ways) microseconds_each(runs, way.call);
  for (int round = 0; round < rounds; ++round) {
    for (Way& way : ways) way.times_us.push_back(microseconds_each(runs, way.call));
  }
  std::cout << path << ", " << rounds << " rounds of " << runs << " runs, microseconds for one run\n";
  for (Way& way : ways) {
    std::sort(way.times_us.begin(), way.times_us.end());
    std::cout << way.name << ": min " << way.times_us.front() << ", median " << way.times_us[rounds / 2] << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) {
      std::cerr << "usage: gluonnx_bench MODEL.onnx [RUNS]\n";
      return 2;
    }
    bench(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 2000);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
