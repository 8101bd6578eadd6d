// The `.npy` format. Source: NEP 1 and the numpy manual, "numpy.lib.format":
//   "\x93NUMPY", major, minor, header length (2 bytes little-endian in version 1.0, 4 in 2.0 and 3.0),
//   header: a Python dictionary with the keys descr, fortran_order and shape, padded with spaces, ended by a newline,
//   the elements.
#include <gluonnx/npy.hpp>

#include "atomic_file.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <istream>
#include <limits>
#include <optional>
#include <ostream>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "gluonnx reads and writes .npy files on little-endian machines only"
#endif

namespace gluonnx {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t preamble_bytes = 8;   // magic and version
constexpr std::size_t most_header = 65535;  // what version 1.0 can express; a longer header is structured data
constexpr std::size_t alignment = 64;       // of the first element in the file
constexpr std::size_t most_rank = 64;       // numpy's NPY_MAXDIMS since 2.0

struct Descr {
  DType dtype;
  std::string_view text;
};

constexpr std::array<Descr, 12> descrs{{
    {DType::float32, "<f4"},
    {DType::float64, "<f8"},
    {DType::float16, "<f2"},
    {DType::boolean, "|b1"},
    {DType::int8, "|i1"},
    {DType::uint8, "|u1"},
    {DType::int16, "<i2"},
    {DType::uint16, "<u2"},
    {DType::int32, "<i4"},
    {DType::uint32, "<u4"},
    {DType::int64, "<i8"},
    {DType::uint64, "<u8"},
}};

Error format_error(const std::string& where, const std::string& detail) {
  return {ErrorCode::bad_format, where, detail};
}

struct Header {
  std::string descr;
  bool is_fortran = false;
  Shape shape;
};

// Reads the one form of Python dictionary that numpy writes, and nothing else.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Header parse() {
    Header header;
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = parse_string();
      expect(':');
      if (key == "descr") {
        once(has_descr, key);
        skip_spaces();
        if (next() == '[') fail("a plain dtype", "structured data");
        header.descr = parse_string();
      } else if (key == "fortran_order") {
        once(has_order, key);
        header.is_fortran = parse_bool();
      } else if (key == "shape") {
        once(has_shape, key);
        header.shape = parse_shape();
      } else {
        fail("the keys descr, fortran_order and shape", "key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!has_descr || !has_order || !has_shape) fail("the keys descr, fortran_order and shape", "fewer");
    skip_spaces();
    if (position_ + 1 != text_.size() || text_.back() != '\n') fail("a newline at the end", "something else");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& expected, const std::string& got) const {
    throw format_error(where_, "bad .npy header at byte " + std::to_string(position_) + ": expected " + expected +
                                   ", got " + got + ".");
  }
  [[nodiscard]] char next() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  void skip_spaces() {
    while (next() == ' ') ++position_;
  }
  bool accept(char wanted) {
    skip_spaces();
    if (next() != wanted) return false;
    ++position_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("'") + wanted + "'", "another character");
  }
  void once(bool& seen, const std::string& key) const {
    if (seen) fail("each key once", "'" + key + "' twice");
    seen = true;
  }
  std::string parse_string() {
    skip_spaces();
    const char quote = next();
    if (quote != '\'' && quote != '"') fail("a string", "another character");
    const std::size_t begin = ++position_;
    const std::size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) fail("the end of a string", "the end of the header");
    const std::string_view content = text_.substr(begin, end - begin);
    for (const char c : content) {
      if (c == '\\' || c < ' ' || c > '~') fail("plain characters in a string", "an escape or control character");
    }
    position_ = end + 1;
    return std::string(content);
  }
  bool parse_bool() {
    skip_spaces();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.compare(position_, word.size(), word) == 0) {
        position_ += word.size();
        return value;
      }
    }
    fail("True or False", "another word");
  }
  std::int64_t parse_size() {
    skip_spaces();
    std::int64_t size = 0;
    const char* const begin = text_.data() + position_;
    const auto [end, problem] = std::from_chars(begin, text_.data() + text_.size(), size);
    if (problem != std::errc() || size < 0) fail("a size of the shape", "no number from 0 to 2^63-1");
    position_ += static_cast<std::size_t>(end - begin);
    return size;
  }
  Shape parse_shape() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(parse_size());
      if (shape.size() > most_rank) fail("at most 64 axes", "more");
      if (accept(',')) continue;
      if (shape.size() == 1) fail("',' after the only size", "another character");  // (3) is a number, not a tuple
      expect(')');
      break;
    }
    return shape;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t position_ = 0;
};

DType dtype_of(const std::string& descr, const std::string& where) {
  std::string known;
  for (const Descr& entry : descrs) {
    if (entry.text == descr) return entry.dtype;
    known += (known.empty() ? "" : " ") + std::string(entry.text);
  }
  if (!descr.empty() && descr[0] == '>') {
    throw format_error(where, "big-endian data: expected little-endian, got descr='" + descr +
                                  "'. Convert it in numpy: a.astype(a.dtype.newbyteorder('<')).");
  }
  throw format_error(where, "unsupported dtype: expected one of " + known + ", got descr='" + descr + "'.");
}

void read_exactly(std::istream& stream, void* to, std::size_t count, const std::string& where) {
  stream.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
  if (stream.bad()) throw Error(ErrorCode::io, where, "cannot be read.");
  if (static_cast<std::size_t>(stream.gcount()) != count) {
    throw format_error(where, "truncated: expected " + std::to_string(count) + " more bytes, got " +
                                  std::to_string(stream.gcount()) + ".");
  }
}

std::string header_text(const TensorView& tensor, std::string_view descr) {
  std::string text = "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis) {
    text += (axis == 0 ? "" : ", ") + std::to_string(tensor.shape()[axis]);
  }
  if (tensor.shape().size() == 1) text += ',';
  text += "), }";
  while ((preamble_bytes + 2 + text.size() + 1) % alignment != 0) text += ' ';
  return text + '\n';
}

}  // namespace

Tensor read_npy(std::istream& stream, std::uintmax_t size_bytes, const std::string& where) {
  std::array<char, preamble_bytes> preamble{};
  if (size_bytes < preamble_bytes) {
    throw format_error(where, "not a .npy file: expected at least 8 bytes, got " + std::to_string(size_bytes) + ".");
  }
  read_exactly(stream, preamble.data(), preamble.size(), where);
  if (std::string_view(preamble.data(), magic.size()) != magic) {
    throw format_error(where,
                       "not a .npy file: expected \\x93NUMPY at its start, got other bytes. Write it with np.save.");
  }
  const int major = static_cast<unsigned char>(preamble[6]);
  const int minor = static_cast<unsigned char>(preamble[7]);
  if (major < 1 || major > 3 || minor != 0) {
    throw format_error(where, "unknown .npy version: expected 1.0, 2.0 or 3.0, got " + std::to_string(major) + "." +
                                  std::to_string(minor) + ".");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  if (size_bytes - preamble_bytes < length_bytes) {
    throw format_error(where, "truncated: expected a header length, got the end of the file.");
  }
  std::array<unsigned char, 4> length{};
  read_exactly(stream, length.data(), length_bytes, where);
  const std::size_t header_bytes = length[0] | static_cast<std::size_t>(length[1]) << 8U |
                                   static_cast<std::size_t>(length[2]) << 16U |
                                   static_cast<std::size_t>(length[3]) << 24U;
  const std::uintmax_t left_bytes = size_bytes - preamble_bytes - length_bytes;
  const std::uintmax_t most_bytes = std::min<std::uintmax_t>(most_header, left_bytes);
  if (header_bytes > most_bytes) {
    throw format_error(where, "bad .npy header length: expected at most " + std::to_string(most_bytes) +
                                  " bytes, got " + std::to_string(header_bytes) +
                                  ". The file is truncated or holds structured data.");
  }
  std::string text(header_bytes, '\0');
  read_exactly(stream, text.data(), text.size(), where);
  Header header = HeaderParser(text, where).parse();
  const DType dtype = dtype_of(header.descr, where);
  if (header.is_fortran) {
    throw format_error(
        where, "Fortran order: expected C order, got fortran_order=True. Convert it with np.ascontiguousarray.");
  }
  std::size_t count = 0;
  try {
    count = element_count(header.shape);
  } catch (const Error& error) {
    throw format_error(where, "bad .npy header: " + error.detail());
  }
  const std::size_t data_bytes = count * dtype_size_bytes(dtype);
  if (data_bytes != left_bytes - header_bytes) {
    throw format_error(where, "wrong size: expected " + std::to_string(data_bytes) + " bytes for shape " +
                                  to_string(header.shape) + " of " + std::string(dtype_name(dtype)) + ", got " +
                                  std::to_string(left_bytes - header_bytes) + ".");
  }
  Tensor tensor(dtype, std::move(header.shape));
  read_exactly(stream, tensor.data(), data_bytes, where);
  if (dtype == DType::boolean) {
    const auto* const bytes = static_cast<const unsigned char*>(tensor.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (bytes[i] > 1) {  // would be no valid bool
        throw format_error(where, "bad bool: expected 0 or 1, got " + std::to_string(bytes[i]) + " at element " +
                                      std::to_string(i) + ".");
      }
    }
  }
  return tensor;
}

Tensor read_npy(const std::filesystem::path& path) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(path, problem);
  if (!std::filesystem::exists(status)) {
    throw Error(ErrorCode::not_found, path.string(), "no such file: expected a .npy file.");
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::bad_format, path.string(), "not a file: expected a .npy file.");
  }
  const std::uintmax_t size_bytes = std::filesystem::file_size(path, problem);
  std::ifstream stream(path, std::ios::binary);
  if (problem || !stream) {
    throw Error(
        ErrorCode::io, path.string(),
        "cannot be read: got \"" + (problem ? problem.message() : std::generic_category().message(errno)) + "\".");
  }
  return read_npy(stream, size_bytes, path.string());
}

void write_npy(std::ostream& stream, const TensorView& tensor, const std::string& where) {
  std::string_view descr;
  for (const Descr& entry : descrs) {
    if (entry.dtype == tensor.dtype()) descr = entry.text;
  }
  if (descr.empty()) {
    throw Error(ErrorCode::unsupported, where,
                "numpy has no such dtype: expected numbers or bools, got dtype=" +
                    std::string(dtype_name(tensor.dtype())) + ". Let the model cast this output to float32.");
  }
  const std::string header = header_text(tensor, descr);
  if (header.size() > most_header) {
    throw Error(ErrorCode::unsupported, where,
                "the shape is too long for the header: got rank " + std::to_string(tensor.shape().size()) + ".");
  }
  stream.write(magic.data(), static_cast<std::streamsize>(magic.size()));
  for (const std::size_t byte : {std::size_t{1}, std::size_t{0}, header.size() & 0xFFU, header.size() >> 8U}) {
    stream.put(static_cast<char>(static_cast<unsigned char>(byte)));
  }
  stream.write(header.data(), static_cast<std::streamsize>(header.size()));
  stream.write(static_cast<const char*>(tensor.data()), static_cast<std::streamsize>(tensor.size_bytes()));
}

void write_npy(const std::filesystem::path& path, const TensorView& tensor) {
  AtomicFile file(path);
  write_npy(file.stream(), tensor, path.string());
  file.close();
  file.commit();
}

}  // namespace gluonnx
