// An ONNX Runtime of version 1.9.0, older than any headers this is built with: one Error, no crash.
#include <gluonnx/loader.hpp>

#include <onnxruntime_c_api.h>

#include <cstdlib>
#include <iostream>

namespace {

// The real one would print a line of its own.
const OrtApi* no_api(std::uint32_t) noexcept { std::abort(); }

const char* old_version() noexcept { return "1.9.0"; }

const OrtApiBase old_library{no_api, old_version};

}  // namespace

const OrtApiBase* ORT_API_CALL OrtGetApiBase() noexcept { return &old_library; }

int main() {
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second is refused as the first was
    try {
      const gluonnx::Model model(GLUONNX_TEST_DATA "/two_inputs.onnx");
      std::cerr << "expected an Error, got a Model\n";
      return 1;
    } catch (const gluonnx::Error& error) {
      const std::string expected = "ONNX Runtime: the library is too old: expected version 1." +
                                   std::to_string(ORT_API_VERSION) + " or later, got version=1.9.0. ";
      if (error.code() == gluonnx::ErrorCode::unsupported && std::string(error.what()).rfind(expected, 0) == 0)
        continue;
      std::cerr << "expected " << expected << "\n     got " << error.what() << '\n';
      return 1;
    }
  }
  return 0;
}
