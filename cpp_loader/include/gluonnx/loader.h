/* The gluonnx loader for C and for languages that call C. No exception crosses it, and nothing is printed.
 *
 *     gluonnx_model* model = NULL;
 *     if (gluonnx_model_load("net-0000.onnx", NULL, &model) != GLUONNX_OK) {
 *       fprintf(stderr, "error: %s\n", gluonnx_last_error());
 *       return 1;
 *     }
 *     const int64_t shape[] = {1, 1, 8, 8};
 *     const gluonnx_tensor data = {"data", GLUONNX_FLOAT32, shape, 4, pixels, sizeof pixels};
 *     gluonnx_outputs* outputs = NULL;
 *     if (gluonnx_model_run(model, &data, 1, &outputs) == GLUONNX_OK) {
 *       const gluonnx_tensor answer = gluonnx_outputs_get(outputs, 0);
 *       ...
 *     }
 *     gluonnx_outputs_free(outputs);
 *     gluonnx_model_free(model);
 *
 * Threads: one model may be run from any number of threads at once. gluonnx_last_error() is the calling thread's own.
 */
#ifndef GLUONNX_LOADER_H
#define GLUONNX_LOADER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers of gluonnx::ErrorCode. */
typedef enum gluonnx_status {
  GLUONNX_OK = 0,
  GLUONNX_INVALID_ARGUMENT = 1,
  GLUONNX_NOT_FOUND = 2,
  GLUONNX_BAD_FORMAT = 3,
  GLUONNX_IO = 4,
  GLUONNX_UNSUPPORTED = 5,
  GLUONNX_RUNTIME = 6,
  GLUONNX_INTERNAL = 7 /* out of memory, or a bug of this library */
} gluonnx_status;

/* The numbers of ONNX TensorProto.DataType. */
typedef enum gluonnx_dtype {
  GLUONNX_FLOAT32 = 1,
  GLUONNX_UINT8 = 2,
  GLUONNX_INT8 = 3,
  GLUONNX_UINT16 = 4,
  GLUONNX_INT16 = 5,
  GLUONNX_INT32 = 6,
  GLUONNX_INT64 = 7,
  GLUONNX_BOOL = 9,
  GLUONNX_FLOAT16 = 10,
  GLUONNX_FLOAT64 = 11,
  GLUONNX_UINT32 = 12,
  GLUONNX_UINT64 = 13,
  GLUONNX_BFLOAT16 = 16
} gluonnx_dtype;

typedef struct gluonnx_model gluonnx_model;
typedef struct gluonnx_outputs gluonnx_outputs;

/* A named array in C order. It refers to memory and owns none. In a model's inputs and outputs, data is NULL,
 * size_bytes is 0, and -1 in shape stands for a size that each call chooses. */
typedef struct gluonnx_tensor {
  const char* name;
  gluonnx_dtype dtype;
  const int64_t* shape;
  size_t rank;
  const void* data;
  size_t size_bytes;
} gluonnx_tensor;

/* Start from GLUONNX_OPTIONS_DEFAULT. */
typedef struct gluonnx_options {
  const char* device; /* "cpu", "cuda", "cuda:N"; NULL: "cpu" */
  int threads;        /* threads inside one operator; 0: one for each core */
  int optimization;   /* 0 none, 1 basic, 2 extended, 3 all */
  int log_severity;   /* 0 verbose, 1 info, 2 warning, 3 error, 4 fatal */
} gluonnx_options;

static const gluonnx_options GLUONNX_OPTIONS_DEFAULT = {"cpu", 0, 3, 4};

/* Load a model; options may be NULL. On success *model is to be freed with gluonnx_model_free, else it is NULL. */
gluonnx_status gluonnx_model_load(const char* path, const gluonnx_options* options, gluonnx_model** model);
/* NULL is allowed. Outputs of the model stay valid. */
void gluonnx_model_free(gluonnx_model* model);

size_t gluonnx_model_input_count(const gluonnx_model* model);
size_t gluonnx_model_output_count(const gluonnx_model* model);
/* Names, dtypes and shapes; they live as long as the model. An index out of range gives a tensor whose name is NULL. */
gluonnx_tensor gluonnx_model_input(const gluonnx_model* model, size_t index);
gluonnx_tensor gluonnx_model_output(const gluonnx_model* model, size_t index);
/* The value of a metadata key, which lives as long as the model; NULL when the model does not have the key. */
const char* gluonnx_model_metadata(const gluonnx_model* model, const char* key);

/* Run the model. On success *outputs is to be freed with gluonnx_outputs_free, else it is NULL. */
gluonnx_status gluonnx_model_run(const gluonnx_model* model, const gluonnx_tensor* inputs, size_t input_count,
                                 gluonnx_outputs** outputs);
size_t gluonnx_outputs_count(const gluonnx_outputs* outputs);
/* An output, which lives as long as outputs. An index out of range gives a tensor whose name is NULL. */
gluonnx_tensor gluonnx_outputs_get(const gluonnx_outputs* outputs, size_t index);
/* NULL is allowed. */
void gluonnx_outputs_free(gluonnx_outputs* outputs);

/* The message of the last call that failed on this thread, "" when none has. It lives until the next failure. */
const char* gluonnx_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
