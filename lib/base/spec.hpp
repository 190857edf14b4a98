#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gossamer {

/// One key that a codec, a topology, a transport or the configuration understands.
/// The same table refuses unknown keys, supplies defaults, and is printed by `gossamer info`.
struct Key {
  std::string_view name;
  std::string_view fallback;  ///< the default, as text
  std::string_view meaning;   ///< one sentence, with the valid values and the unit
};

/// A parsed `name:item,key=value` text such as `torus:4x8` or `topk:ratio=0.01,values=fp16`.
struct Spec {
  std::string name;
  std::vector<std::string> items;             ///< what has no '=': the `4x8` of a torus
  std::map<std::string, std::string> values;  ///< key → value

  /// Throws `argument` for an empty name or key, or a key given twice.
  static Spec parse(std::string_view text);
  /// What parse() reads back as an equal spec; keys in alphabetical order.
  [[nodiscard]] std::string text() const;
};

/// The values of a spec under a table of keys: typed access, defaults from the table.
/// Every getter throws `argument` with a sentence that names the owner, the key, the value and the valid values.
class Options {
 public:
  /// `owner` names what is being configured in error messages ("codec topk"). Unknown keys throw, listing the known.
  /// `items_allowed` is how many positional items the owner takes.
  Options(std::string owner, const Spec& spec, std::span<const Key> keys, std::size_t items_allowed = 0);

  [[nodiscard]] std::string text(std::string_view key) const;
  /// A number in [low, high].
  [[nodiscard]] double real(std::string_view key, double low, double high) const;
  /// A number in (low, high].
  [[nodiscard]] double real_above(std::string_view key, double low, double high) const;
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) const;
  [[nodiscard]] bool flag(std::string_view key) const;  ///< on|off
  /// The index of the value among `choices`.
  [[nodiscard]] std::size_t choice(std::string_view key, std::initializer_list<std::string_view> choices) const;
  /// True when the text gave the key, rather than the default.
  [[nodiscard]] bool given(std::string_view key) const { return given_.contains(std::string(key)); }
  [[nodiscard]] const std::vector<std::string>& items() const noexcept { return items_; }

 private:
  [[noreturn]] void refuse(std::string_view key, const std::string& valid) const;

  std::string owner_;
  std::vector<std::string> items_;
  std::map<std::string, std::string> given_;
  std::map<std::string, std::string, std::less<>> values_;
};

/// "a, b, c" — for messages that list the valid values.
std::string join(std::span<const std::string_view> names, std::string_view separator = ", ");

/// Throws `argument`: `unknown <kind> 'name'; known: …`.
[[noreturn]] void refuse_unknown(std::string_view kind, std::string_view name, std::span<const std::string_view> known);

}  // namespace gossamer
