// Print the scores of one 8x8 picture: the example on top of loader.hpp, with the model's path as its argument.
#include <gluonnx/loader.hpp>

#include <iostream>

int main(int argc, char** argv) {
  try {
    const gluonnx::Model model(argc > 1 ? argv[1] : "net-0000.onnx");
    const std::vector<float> pixels(1 * 1 * 8 * 8, 0.5F);
    const gluonnx::Outputs outputs = model.run({{"data", {pixels, {1, 1, 8, 8}}}});
    for (const float score : outputs[0].values<float>()) std::cout << score << '\n';
  } catch (const gluonnx::Error& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
