#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gossamer::tools {

/// Writes one JSON value from left to right; commas are put where they belong. The caller opens and closes in pairs.
class JsonWriter {
 public:
  void open_object(std::string_view key = {});
  void open_array(std::string_view key = {});
  void close();  ///< the innermost object or array

  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, double value);  ///< null when not finite
  void integer(std::string_view key, std::uint64_t value);
  void flag(std::string_view key, bool value);
  void numbers(std::string_view key, std::span<const double> values);

  [[nodiscard]] const std::string& str() const noexcept { return out_; }

 private:
  void begin(std::string_view key);
  void quote(std::string_view value);
  void put(double value);

  std::string out_;
  std::string closers_;
  bool first_ = true;
};

}  // namespace gossamer::tools
