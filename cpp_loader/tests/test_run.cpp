// gluonnx-run as its user sees it: arguments, files, stdout, stderr, exit status.
#include "support.hpp"

#include <gluonnx/npy.hpp>

#include <cstdlib>

using namespace gluonnx;
using namespace gluonnx::test;

namespace {

struct Result {
  int status;
  std::string out;
  std::string err;
};

std::string shell_quoted(const std::string& text) { return "'" + text + "'"; }  // no test path holds a quote

Result run(const Scratch& scratch, const std::vector<std::string>& arguments) {
  const std::string log = (scratch / "..").string() + "/gluonnx-run";
  std::string command = shell_quoted(GLUONNX_RUN_PROGRAM);
  for (const std::string& argument : arguments) command += " " + shell_quoted(argument);
  command += " >" + shell_quoted(log + ".out") + " 2>" + shell_quoted(log + ".err");
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), file_bytes(log + ".out"), file_bytes(log + ".err")};
}

const std::string digits = data("digits-0000.onnx").string();
const std::string digits_input = data("digits-input.npy").string();
const std::string digits_expected = data("digits-expected.npy").string();
const std::string two_inputs = data("two_inputs.onnx").string();

}  // namespace

TEST_CASE("gluonnx-run writes the answer and says so") {
  Scratch scratch;
  const std::string output = (scratch / "y.npy").string();
  const Result result = run(scratch, {digits, "--input", "data=" + digits_input, "--output", output});
  CHECK(result.status == 0);
  CHECK(result.out == "scores: float32 [7, 10] -> " + output + "\n");
  CHECK(result.err.empty());
  CHECK(read_npy(output).shape() == Shape{7, 10});
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("gluonnx-run takes several inputs and outputs by name") {
  Scratch scratch;
  write_npy(scratch / "l.npy", TensorView(std::vector<float>{1, 2, 3}, {1, 3}));
  write_npy(scratch / "r.npy", TensorView(std::vector<float>{4, 5, 6}, {1, 3}));
  const std::vector<std::string> inputs{two_inputs, "--input", "left=" + (scratch / "l.npy").string(), "--input",
                                        "right=" + (scratch / "r.npy").string()};
  auto arguments = inputs;
  for (const char* name : {"count", "total"}) {
    arguments.emplace_back("--output");
    arguments.push_back(name + ("=" + (scratch / name).string()));
  }
  Result result = run(scratch, arguments);
  CHECK(result.status == 0);
  const Tensor total = read_npy(scratch / "total");
  CHECK(to_vector(total.values<float>()) == std::vector<float>{5, 7, 9});
  CHECK(std::as_const(total).size() == 3);
  const Tensor count = read_npy(scratch / "count");
  CHECK(count.values<std::int64_t>()[0] == 3);

  arguments = inputs;
  arguments.insert(arguments.end(), {"--output", "y.npy"});
  result = run(scratch, arguments);
  CHECK(result.status == 1);
  CHECK(result.err == "error: --output: no name: expected NAME=FILE with one of `total`, `count`, got y.npy.\n");
}

TEST_CASE("gluonnx-run leaves no file behind when one of them cannot be written") {
  Scratch scratch;
  const Result result = run(
      scratch, {two_inputs, "--input", "left=" + data("npy/version1.npy").string(), "--input",
                "right=" + data("npy/version1.npy").string(), "--output", "total=" + (scratch / "total.npy").string(),
                "--output", "count=" + (scratch / "none/count.npy").string()});
  CHECK(result.status == 1);
  CHECK(contains(result.err, "none/count.npy: cannot be written: expected a writable file in an existing folder"));
  CHECK(scratch.is_empty());
}

TEST_CASE("gluonnx-run compares") {
  Scratch scratch;
  Result result = run(scratch, {digits, "--input", digits_input, "--expect", digits_expected, "--tolerance", "1e-5"});
  CHECK(result.status == 0);
  CHECK(contains(result.out, "scores: float32 [7, 10], largest absolute difference "));

  Tensor other = read_npy(digits_expected);
  other.values<float>()[3] += 0.25F;
  write_npy(scratch / "other.npy", other);
  result = run(scratch, {digits, "--input", digits_input, "--expect", "scores=" + (scratch / "other.npy").string()});
  CHECK(result.status == 1);
  CHECK(contains(result.err,
                 "error: output `scores`: the answer differs: expected at most 1e-05, got largest absolute "
                 "difference=0.25"));
  result = run(scratch, {digits, "--input", digits_input, "--expect", digits_input});
  CHECK(result.status == 1);
  CHECK(contains(result.err, "the arrays differ in kind: expected float32 [7, 1, 8, 8], got float32 [7, 10]"));
}

TEST_CASE("gluonnx-run measures and prints JSON") {
  Scratch scratch;
  Result result = run(scratch, {digits, "--input", digits_input, "--repeat", "4", "--warmup", "0", "--threads", "1"});
  CHECK(result.status == 0);
  CHECK(contains(result.out, "latency of 4 runs (ms): min "));
  result = run(scratch, {digits, "--input", digits_input, "--expect", digits_expected, "--repeat", "3", "--json"});
  CHECK(result.status == 0);
  CHECK(contains(result.out, R"("name": "scores", "dtype": "float32", "shape": [7, 10], "max_abs_difference": )"));
  CHECK(contains(result.out, R"("latency_ms": {"repeat": 3, "warmup": 1, "min": )"));
  CHECK(contains(result.out, "\"onnxruntime\": \"" + onnxruntime_version() + "\""));
  CHECK(result.err.empty());
}

TEST_CASE("gluonnx-run describes a model") {
  Scratch scratch;
  Result result = run(scratch, {two_inputs, "--info"});
  CHECK(result.out ==
        "input left: float32 [-1, 3]\n"
        "input right: float32 [-1, 3]\n"
        "output total: float32 [-1, 3]\n"
        "output count: int64 []\n"
        "metadata empty: \n"
        "metadata gluonnx.note: two inputs, \"quoted\"\n");
  result = run(scratch, {two_inputs, "--info", "--json"});
  CHECK(contains(result.out, R"("inputs": [{"name": "left", "dtype": "float32", "shape": [-1, 3]})"));
  CHECK(contains(result.out, R"("metadata": {"empty": "", "gluonnx.note": "two inputs, \"quoted\""})"));
  CHECK(result.err.empty());
}

TEST_CASE("gluonnx-run: a known failure is one line on stderr and status 1") {
  Scratch scratch;
  const auto failure = [&](const std::vector<std::string>& arguments) {
    const Result result = run(scratch, arguments);
    CAPTURE(result.err);
    CHECK(result.status == 1);
    CHECK(result.out.empty());
    CHECK(result.err.rfind("error: ", 0) == 0);
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(scratch.is_empty());
    return result.err;
  };
  CHECK(contains(failure({digits}), "input `data` is missing: expected `data`, got none"));
  CHECK(contains(failure({digits, "--input", "x=" + digits_input}),
                 "--input: unknown name: expected one of `data`, got `x`"));
  CHECK(contains(failure({digits, "--input", digits_input, "--input", digits_input}), "`data` is given twice"));
  CHECK(contains(failure({digits, "--input", "none.npy"}), "none.npy: no such file"));
  CHECK(contains(failure({digits, "--input", digits}), "not a .npy file"));
  CHECK(contains(failure({digits, "--input", digits_expected}), "input `data` has the wrong rank"));
  CHECK(contains(failure({"none.onnx"}), "none.onnx: no such file"));
  CHECK(contains(failure({digits_input, "--info"}), "the model cannot be loaded"));
  CHECK(contains(failure({digits, "--device", "tpu"}), "got device=`tpu`"));
  CHECK(contains(failure({digits, "--input", digits_input, "--output", (scratch / "none/y.npy").string()}),
                 "cannot be written"));
}

TEST_CASE("gluonnx-run: wrong usage is status 2, help and version are 0") {
  Scratch scratch;
  CHECK(run(scratch, {}).status == 2);
  CHECK(run(scratch, {digits, "--unknown"}).status == 2);
  CHECK(run(scratch, {digits, "--repeat", "0"}).status == 2);
  CHECK(run(scratch, {digits, "--threads", "-1"}).status == 2);
  CHECK(run(scratch, {digits, "--tolerance", "x"}).status == 2);
  Result result = run(scratch, {"--help"});
  CHECK(result.status == 0);
  CHECK(contains(result.out, "gluonnx-run net-0000.onnx --input data=x.npy --output y.npy"));
  result = run(scratch, {"--version"});
  CHECK(result.status == 0);
  CHECK(result.out == "gluonnx-run " + std::string(version()) + " (ONNX Runtime " + onnxruntime_version() + ")\n");
}
