/* The C API from C: gluonnx_c_test DATA_FOLDER. */
#include <gluonnx/loader.h>

#include <stdio.h>
#include <string.h>

static int failures = 0;

static void check(int is_true, const char* claim) {
  if (is_true) return;
  fprintf(stderr, "failed: %s (last error: %s)\n", claim, gluonnx_last_error());
  ++failures;
}

static void test_info(const gluonnx_model* model) {
  check(gluonnx_model_input_count(model) == 2, "two inputs");
  check(gluonnx_model_output_count(model) == 2, "two outputs");
  const gluonnx_tensor right = gluonnx_model_input(model, 1);
  check(strcmp(right.name, "right") == 0 && right.dtype == GLUONNX_FLOAT32, "input 1 is right, float32");
  check(right.rank == 2 && right.shape[0] == -1 && right.shape[1] == 3 && right.data == NULL, "right is [-1, 3]");
  const gluonnx_tensor count = gluonnx_model_output(model, 1);
  check(strcmp(count.name, "count") == 0 && count.dtype == GLUONNX_INT64 && count.rank == 0,
        "output 1 is count, int64");
  check(gluonnx_model_input(model, 2).name == NULL, "no input 2");
  check(gluonnx_model_output(model, 9).name == NULL, "no output 9");
  check(strcmp(gluonnx_model_metadata(model, "gluonnx.note"), "two inputs, \"quoted\"") == 0, "metadata");
  check(gluonnx_model_metadata(model, "none") == NULL, "no such metadata");
}

static void test_run(gluonnx_model** model) {
  const float left_values[] = {1, 2, 3, 4, 5, 6};
  const float right_values[] = {10, 20, 30, 40, 50, 60};
  const int64_t shape[] = {2, 3};
  const gluonnx_tensor inputs[] = {
      {"left", GLUONNX_FLOAT32, shape, 2, left_values, sizeof left_values},
      {"right", GLUONNX_FLOAT32, shape, 2, right_values, sizeof right_values},
  };
  gluonnx_outputs* outputs = NULL;
  check(gluonnx_model_run(*model, inputs, 2, &outputs) == GLUONNX_OK, "run");
  if (outputs == NULL) return;
  check(gluonnx_outputs_count(outputs) == 2, "two answers");
  gluonnx_model_free(*model); /* outputs stay */
  *model = NULL;
  const gluonnx_tensor total = gluonnx_outputs_get(outputs, 0);
  check(strcmp(total.name, "total") == 0 && total.rank == 2 && total.shape[0] == 2 && total.shape[1] == 3,
        "total [2, 3]");
  check(total.size_bytes == 24 && ((const float*)total.data)[5] == 66.0F, "6 + 60");
  check(gluonnx_outputs_get(outputs, 2).name == NULL, "no output 2");
  gluonnx_outputs_free(outputs);
}

static void test_errors(const char* path) {
  gluonnx_model* model = NULL;
  check(gluonnx_model_load("none.onnx", NULL, &model) == GLUONNX_NOT_FOUND && model == NULL, "a missing file");
  check(strcmp(gluonnx_last_error(), "none.onnx: no such file: expected an ONNX model.") == 0, "its message");
  check(gluonnx_model_load(NULL, NULL, &model) == GLUONNX_INVALID_ARGUMENT, "a null path");
  check(strstr(gluonnx_last_error(), "got path=NULL") != NULL, "its message");
  check(gluonnx_model_load(path, NULL, NULL) == GLUONNX_INVALID_ARGUMENT, "nowhere to put the model");

  gluonnx_options options = GLUONNX_OPTIONS_DEFAULT;
  options.device = "tpu";
  check(gluonnx_model_load(path, &options, &model) == GLUONNX_INVALID_ARGUMENT && model == NULL, "an unknown device");
  check(strstr(gluonnx_last_error(), "got device=`tpu`") != NULL, "its message");
  options.device = NULL;
  options.threads = 1;
  check(gluonnx_model_load(path, &options, &model) == GLUONNX_OK, "options");

  const float values[] = {1, 2, 3};
  const int64_t shape[] = {1, 3};
  gluonnx_outputs* outputs = NULL;
  gluonnx_tensor input = {"left", GLUONNX_FLOAT32, shape, 2, values, sizeof values};
  check(gluonnx_model_run(model, &input, 1, &outputs) == GLUONNX_INVALID_ARGUMENT && outputs == NULL,
        "a missing input");
  check(strstr(gluonnx_last_error(), "input `right` is missing: expected `left`, `right`") != NULL, "its message");
  check(gluonnx_model_run(model, NULL, 1, &outputs) == GLUONNX_INVALID_ARGUMENT, "null inputs");
  check(gluonnx_model_run(NULL, &input, 1, &outputs) == GLUONNX_INVALID_ARGUMENT, "a null model");
  input.size_bytes = 8;
  check(gluonnx_model_run(model, &input, 1, &outputs) == GLUONNX_INVALID_ARGUMENT, "too few bytes");
  check(strstr(gluonnx_last_error(), "expected 3 elements of float32 for shape [1, 3], got 2 elements") != NULL,
        "its message");
  input.name = NULL;
  check(gluonnx_model_run(model, &input, 1, &outputs) == GLUONNX_INVALID_ARGUMENT, "a null name");
  gluonnx_model_free(model);
  gluonnx_model_free(NULL);
  gluonnx_outputs_free(NULL);
}

int main(int argc, char** argv) {
  char path[4096];
  if (argc != 2) {
    fprintf(stderr, "usage: gluonnx_c_test DATA_FOLDER\n");
    return 2;
  }
  check(gluonnx_last_error()[0] == '\0', "no error before the first");
  snprintf(path, sizeof path, "%s/two_inputs.onnx", argv[1]);
  gluonnx_model* model = NULL;
  check(gluonnx_model_load(path, NULL, &model) == GLUONNX_OK, "load");
  if (model != NULL) {
    test_info(model);
    test_run(&model);
  }
  gluonnx_model_free(model);
  test_errors(path);
  return failures == 0 ? 0 : 1;
}
