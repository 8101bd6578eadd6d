// Must not compile: `const char*` is no element of an ONNX tensor.
#include <gluonnx/loader.hpp>

gluonnx::TensorView view(const std::vector<const char*>& words) { return {words, {1}}; }
