// gluonnx-run: run an .onnx model on .npy arrays.
#include <gluonnx/loader.hpp>
#include <gluonnx/npy.hpp>

#include "../atomic_file.hpp"
#include "compare.hpp"
#include "json.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <optional>

namespace gluonnx::run {
namespace {

constexpr int exit_done = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

constexpr const char* examples = R"(Examples:
  gluonnx-run net-0000.onnx --info
  gluonnx-run net-0000.onnx --input data=x.npy --output y.npy

Exit status: 0 done, 1 failed (one line on stderr), 2 wrong usage.)";

struct Arguments {
  std::string model;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<std::string> expected;
  double tolerance = 1e-5;
  Options options;
  int repeat = 0;
  int warmup = 1;
  bool is_info = false;
  bool is_json = false;
};

/// A file that belongs to an input or output, from "NAME=FILE", or from "FILE" where the model has only one.
struct NamedFile {
  std::string name;
  std::string path;
};

struct Latency {
  double min_ms;
  double median_ms;
  double mean_ms;
};

struct OutputReport {
  std::string name;
  DType dtype;
  Shape shape;
  std::optional<std::string> path;
  std::optional<double> max_abs_difference;
};

void define(CLI::App& app, Arguments& arguments) {
  app.add_option("MODEL", arguments.model, "The .onnx model")->required();
  app.add_option("--input", arguments.inputs,
                 "An input as NAME=FILE.npy; the name may be left out if there is only one")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false);
  app.add_option("--output", arguments.outputs,
                 "Where to write an output, in the same way; files appear whole or not at all")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false);
  app.add_option("--expect", arguments.expected, "An output must equal this file within --tolerance, else exit 1")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false);
  app.add_option("--tolerance", arguments.tolerance, "Largest absolute difference that --expect accepts")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--device", arguments.options.device, "cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--threads", arguments.options.threads, "Threads inside one operator; 0: one for each core")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--repeat", arguments.repeat, "Time N runs and print min, median and mean latency")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--warmup", arguments.warmup, "Runs before the timed ones")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--info", arguments.is_info, "Print inputs, outputs and metadata of the model and run nothing");
  app.add_flag("--json", arguments.is_json, "Print one JSON object on stdout");
  app.set_version_flag("--version",
                       "gluonnx-run " + std::string(version()) + " (ONNX Runtime " + onnxruntime_version() + ")");
  app.footer(examples);
}

std::string listed(const std::vector<ValueInfo>& infos) {
  std::string text;
  for (const ValueInfo& info : infos) text += (text.empty() ? "`" : ", `") + info.name + "`";
  return text;
}

NamedFile named_file(const std::string& argument, const char* option, const std::vector<ValueInfo>& infos) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos) {
    if (infos.size() == 1) return {infos[0].name, argument};
    throw Error(ErrorCode::invalid_argument, option,
                "no name: expected NAME=FILE with one of " + listed(infos) + ", got " + argument + ".");
  }
  NamedFile result{argument.substr(0, equals), argument.substr(equals + 1)};
  const auto same_name = [&](const ValueInfo& info) { return info.name == result.name; };
  if (std::none_of(infos.begin(), infos.end(), same_name)) {
    throw Error(ErrorCode::invalid_argument, option,
                "unknown name: expected one of " + listed(infos) + ", got `" + result.name + "`.");
  }
  return result;
}

std::vector<NamedFile> named_files(const std::vector<std::string>& arguments, const char* option,
                                   const std::vector<ValueInfo>& infos) {
  std::vector<NamedFile> result;
  for (const std::string& argument : arguments) {
    NamedFile file = named_file(argument, option, infos);
    const auto same_name = [&](const NamedFile& other) { return other.name == file.name; };
    if (std::any_of(result.begin(), result.end(), same_name)) {
      throw Error(ErrorCode::invalid_argument, option, "`" + file.name + "` is given twice: expected each name once.");
    }
    result.push_back(std::move(file));
  }
  return result;
}

std::vector<std::string> info_json(const std::vector<ValueInfo>& infos) {
  std::vector<std::string> items;
  for (const ValueInfo& info : infos) {
    std::vector<std::string> sizes;
    for (const std::int64_t size : info.shape) sizes.push_back(std::to_string(size));
    items.push_back(json_object({{"name", json_string(info.name)},
                                 {"dtype", json_string(dtype_name(info.dtype))},
                                 {"shape", json_array(sizes)}}));
  }
  return items;
}

void print_info(const Model& model, const Arguments& arguments) {
  if (arguments.is_json) {
    std::vector<JsonField> metadata;
    for (const auto& [key, value] : model.metadata()) metadata.push_back({key, json_string(value)});
    std::cout << json_object({{"model", json_string(arguments.model)},
                              {"inputs", json_array(info_json(model.inputs()))},
                              {"outputs", json_array(info_json(model.outputs()))},
                              {"metadata", json_object(metadata)}})
              << '\n';
    return;
  }
  const auto print = [](const char* kind, const std::vector<ValueInfo>& infos) {
    for (const ValueInfo& info : infos) {
      std::cout << kind << ' ' << info.name << ": " << dtype_name(info.dtype) << ' ' << to_string(info.shape) << '\n';
    }
  };
  print("input", model.inputs());
  print("output", model.outputs());
  for (const auto& [key, value] : model.metadata()) std::cout << "metadata " << key << ": " << value << '\n';
}

Latency measure(const Model& model, const std::vector<Input>& inputs, int repeat) {
  std::vector<double> times_ms;
  for (int i = 0; i < repeat; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Outputs outputs = model.run(inputs);
    const auto end = std::chrono::steady_clock::now();
    times_ms.push_back(std::chrono::duration<double, std::milli>(end - begin).count());
  }
  std::sort(times_ms.begin(), times_ms.end());
  const std::size_t half = times_ms.size() / 2;
  const double median = times_ms.size() % 2 == 1 ? times_ms[half] : (times_ms[half - 1] + times_ms[half]) / 2;
  return {times_ms.front(), median,
          std::accumulate(times_ms.begin(), times_ms.end(), 0.0) / static_cast<double>(times_ms.size())};
}

/// All files or none (but for a failing rename): each is written in full before the first gets its name.
void write_outputs(const Outputs& outputs, const std::vector<NamedFile>& files) {
  std::vector<AtomicFile> written;
  for (const NamedFile& file : files) {
    AtomicFile& output = written.emplace_back(file.path);
    write_npy(output.stream(), outputs[file.name], file.path);
    output.close();
  }
  for (AtomicFile& output : written) output.commit();
}

std::optional<std::string> path_of(const std::vector<NamedFile>& files, const std::string& name) {
  for (const NamedFile& file : files) {
    if (file.name == name) return file.path;
  }
  return std::nullopt;
}

void print_report(const Arguments& arguments, const std::vector<OutputReport>& reports,
                  const std::optional<Latency>& latency) {
  if (!arguments.is_json) {
    for (const OutputReport& report : reports) {
      std::cout << report.name << ": " << dtype_name(report.dtype) << ' ' << to_string(report.shape);
      if (report.path) std::cout << " -> " << *report.path;
      if (report.max_abs_difference) std::cout << ", largest absolute difference " << *report.max_abs_difference;
      std::cout << '\n';
    }
    if (latency) {
      std::cout << "latency of " << arguments.repeat << " runs (ms): min " << latency->min_ms << ", median "
                << latency->median_ms << ", mean " << latency->mean_ms << '\n';
    }
    return;
  }
  std::vector<std::string> outputs;
  for (const OutputReport& report : reports) {
    std::vector<std::string> sizes;
    for (const std::int64_t size : report.shape) sizes.push_back(std::to_string(size));
    std::vector<JsonField> fields{{"name", json_string(report.name)},
                                  {"dtype", json_string(dtype_name(report.dtype))},
                                  {"shape", json_array(sizes)}};
    if (report.path) fields.push_back({"path", json_string(*report.path)});
    if (report.max_abs_difference) fields.push_back({"max_abs_difference", json_number(*report.max_abs_difference)});
    outputs.push_back(json_object(fields));
  }
  std::vector<JsonField> fields{{"model", json_string(arguments.model)},
                                {"device", json_string(arguments.options.device)},
                                {"onnxruntime", json_string(onnxruntime_version())},
                                {"outputs", json_array(outputs)}};
  if (latency) {
    fields.push_back({"latency_ms", json_object({{"repeat", std::to_string(arguments.repeat)},
                                                 {"warmup", std::to_string(arguments.warmup)},
                                                 {"min", json_number(latency->min_ms)},
                                                 {"median", json_number(latency->median_ms)},
                                                 {"mean", json_number(latency->mean_ms)}})});
  }
  std::cout << json_object(fields) << '\n';
}

void require_close(const std::vector<OutputReport>& reports, double tolerance) {
  for (const OutputReport& report : reports) {
    if (!report.max_abs_difference || *report.max_abs_difference <= tolerance) continue;
    std::ostringstream detail;
    detail << "the answer differs: expected at most " << tolerance
           << ", got largest absolute difference=" << *report.max_abs_difference << ".";
    throw Error(ErrorCode::runtime, "output `" + report.name + "`", detail.str());
  }
}

void run(const Arguments& arguments) {
  const Model model(arguments.model, arguments.options);
  if (arguments.is_info) {
    print_info(model, arguments);
    return;
  }
  const std::vector<NamedFile> input_files = named_files(arguments.inputs, "--input", model.inputs());
  const std::vector<NamedFile> output_files = named_files(arguments.outputs, "--output", model.outputs());
  const std::vector<NamedFile> expected_files = named_files(arguments.expected, "--expect", model.outputs());

  std::vector<Tensor> tensors;
  std::vector<Input> inputs;
  for (const NamedFile& file : input_files) {
    tensors.push_back(read_npy(file.path));
    inputs.push_back({file.name, tensors.back()});
  }

  std::optional<Latency> latency;
  if (arguments.repeat > 0) {
    for (int i = 0; i < arguments.warmup; ++i) static_cast<void>(model.run(inputs));
    latency = measure(model, inputs, arguments.repeat);
  }
  const Outputs outputs = model.run(inputs);

  std::vector<OutputReport> reports;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    OutputReport report{outputs.names()[i], outputs[i].dtype(), outputs[i].shape(), {}, {}};
    report.path = path_of(output_files, report.name);
    if (const std::optional<std::string> expected = path_of(expected_files, report.name)) {
      report.max_abs_difference = max_abs_difference(outputs[i], read_npy(*expected), "output `" + report.name + "`");
    }
    reports.push_back(std::move(report));
  }
  write_outputs(outputs, output_files);
  print_report(arguments, reports, latency);
  require_close(reports, arguments.tolerance);
}

}  // namespace
}  // namespace gluonnx::run

int main(int argc, char** argv) {
  using namespace gluonnx::run;
  try {
    CLI::App app("Run an ONNX model on .npy arrays.", "gluonnx-run");
    Arguments arguments;
    define(app, arguments);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? exit_done : exit_usage;
    }
    run(arguments);
    std::cout.flush();
    if (!std::cout) throw gluonnx::Error(gluonnx::ErrorCode::io, "stdout", "cannot be written.");
    return exit_done;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return exit_failure;
  }
}
