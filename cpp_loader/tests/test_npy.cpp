// data/npy/ was written by numpy itself (make_model.py): it, not our writer, says what the format is.
#include <gluonnx/npy.hpp>

#include "support.hpp"

#include <sstream>

using namespace gluonnx;
using namespace gluonnx::test;

namespace {

Tensor parse(const std::string& bytes) {
  std::istringstream stream(bytes);
  return read_npy(stream, bytes.size(), "x.npy");
}

std::string written(const TensorView& tensor) {
  std::ostringstream stream;
  write_npy(stream, tensor, "x.npy");
  return stream.str();
}

/// A version 1.0 file with this header and this many bytes of data.
std::string with_header(std::string header, std::size_t data_bytes = 8) {
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFFU);
  bytes += static_cast<char>(header.size() >> 8U);
  return bytes + header + std::string(data_bytes, '\0');
}

std::string header_error(const std::string& header, std::size_t data_bytes = 8) {
  const Error error = error_of([&] { parse(with_header(header, data_bytes)); });
  CHECK(error.code() == ErrorCode::bad_format);
  CHECK(error.where() == "x.npy");
  return error.detail();
}

template <class T>
void check_dtype(const std::string& name) {
  CAPTURE(name);
  const Tensor tensor = read_npy(data("npy/" + name + ".npy"));
  CHECK(dtype_name(tensor.dtype()) == name);
  CHECK(tensor.shape() == Shape{2, 3});
  CHECK(to_vector(tensor.values<T>()) == std::vector<T>{0, 1, 0, 1, 0, 1});
}

}  // namespace

TEST_CASE("every dtype that numpy wrote is read") {
  check_dtype<float>("float32");
  check_dtype<double>("float64");
  check_dtype<std::int8_t>("int8");
  check_dtype<std::int16_t>("int16");
  check_dtype<std::int32_t>("int32");
  check_dtype<std::int64_t>("int64");
  check_dtype<std::uint8_t>("uint8");
  check_dtype<std::uint16_t>("uint16");
  check_dtype<std::uint32_t>("uint32");
  check_dtype<std::uint64_t>("uint64");
  const Tensor bools = read_npy(data("npy/bool.npy"));
  CHECK(to_vector(bools.values<bool>()) == std::vector<bool>{false, true, false, true, false, true});
  const Tensor halves = read_npy(data("npy/float16.npy"));
  CHECK(halves.values<float16>()[1].to_float() == 1.0F);
}

TEST_CASE("every version and rank that numpy wrote is read") {
  for (const char* name : {"npy/version1.npy", "npy/version2.npy", "npy/version3.npy"}) {
    CAPTURE(name);
    const Tensor tensor = read_npy(data(name));
    CHECK(tensor.shape() == Shape{2, 3});
    CHECK(to_vector(tensor.values<float>()) == std::vector<float>{0, 1, 2, 3, 4, 5});
  }
  const Tensor scalar = read_npy(data("npy/scalar.npy"));
  CHECK(scalar.shape().empty());
  CHECK(scalar.values<double>()[0] == 2.5);
  const Tensor vector = read_npy(data("npy/vector.npy"));
  CHECK(to_vector(vector.values<std::int64_t>()) == std::vector<std::int64_t>{0, 1, 2});
  CHECK(read_npy(data("npy/empty.npy")).shape() == Shape{2, 0, 3});
  CHECK(read_npy(data("npy/rank5.npy")).shape() == Shape{2, 1, 2, 2, 2});
}

TEST_CASE("what is written is, byte for byte, what numpy writes") {
  for (const char* name : {"float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64", "uint8",
                           "uint16", "uint32", "uint64", "scalar", "vector", "empty", "rank5", "version1"}) {
    CAPTURE(name);
    const std::filesystem::path path = data("npy/" + std::string(name) + ".npy");
    CHECK(written(read_npy(path)) == file_bytes(path));
  }
}

TEST_CASE("what numpy can write and ONNX cannot take is refused by name") {
  const auto detail = [](const char* name) {
    const Error error = error_of([&] { static_cast<void>(read_npy(data(name))); });
    CHECK(error.code() == ErrorCode::bad_format);
    CHECK(error.where() == data(name).string());
    return error.detail();
  };
  CHECK(contains(detail("npy/fortran.npy"), "Fortran order: expected C order, got fortran_order=True"));
  CHECK(contains(detail("npy/big_endian.npy"), "big-endian data: expected little-endian, got descr='>f4'"));
  CHECK(contains(detail("npy/structured.npy"), "expected a plain dtype, got structured data"));
  CHECK(contains(detail("npy/complex.npy"), "unsupported dtype: expected one of <f4 "));
  CHECK(contains(detail("npy/complex.npy"), "got descr='<c8'"));
}

TEST_CASE("files that are not .npy files") {
  Scratch scratch;
  Error error = error_of([&] { static_cast<void>(read_npy(scratch / "none.npy")); });
  CHECK(error.code() == ErrorCode::not_found);
  CHECK(contains(error.what(), "none.npy: no such file"));
  error = error_of([&] { static_cast<void>(read_npy(data("npy"))); });
  CHECK(contains(error.what(), "not a file"));
  CHECK(contains(error_of([] { parse("short"); }).detail(), "expected at least 8 bytes, got 5"));
  CHECK(contains(error_of([] { parse("PK\x03\x04 a zip file"); }).detail(), "expected \\x93NUMPY at its start"));
  CHECK(contains(error_of([] { parse(std::string("\x93NUMPY\x04\x00", 8)); }).detail(), "got 4.0"));
  CHECK(
      contains(error_of([] { parse(std::string("\x93NUMPY\x01\x00\x01", 9)); }).detail(), "expected a header length"));
  CHECK(contains(error_of([] { parse(std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12)); }).detail(),
                 "expected at most 0 bytes, got 4294967295"));
}

TEST_CASE("the header is read strictly") {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  CHECK(parse(with_header(good)).shape() == Shape{2});
  CHECK(parse(with_header("{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}")).shape() == Shape{1, 2});
  CHECK(contains(header_error("'descr'"), "at byte 0: expected '{'"));
  CHECK(contains(header_error("{'descr': '<f4', 'fortran_order': False}"),
                 "expected the keys descr, fortran_order and shape"));
  CHECK(contains(header_error("{'descr': '<f4', 'descr': '<f4'}"), "got 'descr' twice"));
  CHECK(contains(header_error("{'other': 1}"), "got key 'other'"));
  CHECK(contains(header_error("{'descr': '<f4"), "expected the end of a string"));
  CHECK(contains(header_error("{'descr': '<f\\x34'"), "plain characters"));
  CHECK(contains(header_error("{'fortran_order': 0"), "expected True or False"));
  CHECK(contains(header_error("{'shape': (2)"), "expected ',' after the only size"));
  CHECK(contains(header_error("{'shape': (-2,)"), "expected a size of the shape"));
  CHECK(contains(header_error("{'shape': (99999999999999999999,)"), "expected a size of the shape"));
  CHECK(contains(header_error(good + " x"), "expected a newline at the end"));
  std::string deep = "{'shape': (";
  for (int i = 0; i < 65; ++i) deep += "1,";
  CHECK(contains(header_error(deep), "expected at most 64 axes"));
}

TEST_CASE("sizes are checked before memory is allocated") {
  const std::string start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  CHECK(contains(header_error(start + "(3,)}"), "expected 12 bytes for shape [3] of float32, got 8"));
  CHECK(contains(header_error(start + "(1,)}"), "expected 4 bytes for shape [1] of float32, got 8"));
  CHECK(contains(header_error(start + "(1000000000000,)}"), "expected 4000000000000 bytes"));
  CHECK(contains(header_error(start + "(9223372036854775807, 9223372036854775807)}"), "too many elements"));
}

TEST_CASE("a bool is 0 or 1") {
  std::string bytes = with_header("{'descr': '|b1', 'fortran_order': False, 'shape': (8,)}");
  bytes.back() = '\x02';
  CHECK(contains(error_of([&] { parse(bytes); }).detail(), "expected 0 or 1, got 2 at element 7"));
}

TEST_CASE("a file cut anywhere is an error") {
  const std::string bytes = file_bytes(data("npy/version2.npy"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK(error_of([&] { parse(bytes.substr(0, length)); }).code() == ErrorCode::bad_format);
  }
}

TEST_CASE("a file with any bit flipped is an error or an array of the same number of bytes") {
  const std::string bytes = file_bytes(data("npy/version1.npy"));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    try {
      const Tensor tensor = parse(flipped);
      CAPTURE(bit);
      CHECK(tensor.size_bytes() == 24);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::bad_format);
    }
  }
}

TEST_CASE("a stream shorter than announced is an error") {
  const std::string bytes = file_bytes(data("npy/version1.npy"));
  std::istringstream stream(bytes.substr(0, bytes.size() - 1));
  const Error error = error_of([&] { static_cast<void>(read_npy(stream, bytes.size(), "x.npy")); });
  CHECK(error.detail() == "truncated: expected 24 more bytes, got 23.");
}

TEST_CASE("a written file appears whole or not at all") {
  Scratch scratch;
  const std::vector<float> values{1, 2, 3};
  write_npy(scratch / "a.npy", TensorView(values, {3}));
  write_npy(scratch / "a.npy", TensorView(values, {3, 1}));  // replaces
  CHECK(read_npy(scratch / "a.npy").shape() == Shape{3, 1});
  CHECK(scratch.file_count() == 1);

  Error error = error_of([&] { write_npy(scratch / "none/a.npy", TensorView(values, {3})); });
  CHECK(error.code() == ErrorCode::io);
  CHECK(contains(error.detail(), "No such file or directory"));
  error = error_of([&] { write_npy(scratch / ".", TensorView(values, {3})); });
  CHECK(contains(error.detail(), "it exists and is not a regular file"));
  error = error_of([&] { write_npy(scratch / "b.npy", Tensor(DType::bfloat16, {2})); });
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.detail(), "got dtype=bfloat16"));
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("a symbolic link keeps pointing at what is written") {
  Scratch scratch;
  const std::vector<float> values{1, 2, 3};
  write_npy(scratch / "real.npy", TensorView(values, {3}));
  std::filesystem::create_symlink(scratch / "real.npy", scratch / "link.npy");
  write_npy(scratch / "link.npy", TensorView(values, {1, 3}));
  CHECK(std::filesystem::is_symlink(scratch / "link.npy"));
  CHECK(read_npy(scratch / "real.npy").shape() == Shape{1, 3});
}
