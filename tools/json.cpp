#include "tools/json.hpp"

#include <cmath>
#include <cstdio>

namespace gossamer::tools {

void JsonWriter::begin(std::string_view key) {
  if (!first_) out_ += ',';
  if (!closers_.empty()) out_ += '\n' + std::string(2 * closers_.size(), ' ');
  first_ = false;
  if (key.empty()) return;
  quote(key);
  out_ += ": ";
}

void JsonWriter::open_object(std::string_view key) {
  begin(key);
  out_ += '{';
  closers_ += '}';
  first_ = true;
}

void JsonWriter::open_array(std::string_view key) {
  begin(key);
  out_ += '[';
  closers_ += ']';
  first_ = true;
}

void JsonWriter::close() {
  const char closer = closers_.back();
  closers_.pop_back();
  if (!first_) out_ += '\n' + std::string(2 * closers_.size(), ' ');
  out_ += closer;
  first_ = false;
}

void JsonWriter::quote(std::string_view value) {
  out_ += '"';
  for (const char letter : value) {
    if (letter == '"' || letter == '\\') {
      out_ += '\\';
      out_ += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", letter);
      out_ += escaped;
    } else {
      out_ += letter;
    }
  }
  out_ += '"';
}

void JsonWriter::put(double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%.9g", value);
  out_ += std::isfinite(value) ? number : "null";
}

void JsonWriter::text(std::string_view key, std::string_view value) {
  begin(key);
  quote(value);
}

void JsonWriter::number(std::string_view key, double value) {
  begin(key);
  put(value);
}

void JsonWriter::integer(std::string_view key, std::uint64_t value) {
  begin(key);
  out_ += std::to_string(value);
}

void JsonWriter::flag(std::string_view key, bool value) {
  begin(key);
  out_ += value ? "true" : "false";
}

void JsonWriter::numbers(std::string_view key, std::span<const double> values) {
  begin(key);
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out_ += ", ";
    put(values[i]);
  }
  out_ += ']';
}

}  // namespace gossamer::tools
