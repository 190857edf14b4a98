#include "lib/base/spec.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

bool parse_real(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(value);
}

}  // namespace

Spec Spec::parse(std::string_view text) {
  Spec spec;
  const std::size_t colon = text.find(':');
  spec.name = std::string(text.substr(0, colon));
  if (spec.name.empty()) fail(Status::argument, "'", text, "' has no name; write name or name:key=value,key=value");
  if (colon == std::string_view::npos) return spec;
  for (const std::string& part : split(text.substr(colon + 1), ',')) {
    const std::size_t equals = part.find('=');
    if (part.empty() || equals == 0) fail(Status::argument, "'", text, "' has an empty key or item");
    if (equals == std::string::npos) {
      spec.items.push_back(part);
    } else if (!spec.values.emplace(part.substr(0, equals), part.substr(equals + 1)).second) {
      fail(Status::argument, "'", text, "' gives ", part.substr(0, equals), " twice");
    }
  }
  return spec;
}

std::string Spec::text() const {
  std::string result = name;
  const auto append = [&](const std::string& part) {
    result += result.size() == name.size() ? ':' : ',';
    result += part;
  };
  for (const std::string& item : items) append(item);
  for (const auto& [key, value] : values) append(key + "=" + value);
  return result;
}

Options::Options(std::string owner, const Spec& spec, std::span<const Key> keys, std::size_t items_allowed)
    : owner_(std::move(owner)), items_(spec.items), given_(spec.values) {
  if (items_.size() > items_allowed) {
    fail(Status::argument, owner_, ": '", items_[items_allowed], "' is not of the form key=value");
  }
  std::vector<std::string_view> known;
  for (const Key& key : keys) {
    known.push_back(key.name);
    values_.emplace(key.name, key.fallback);
  }
  for (const auto& [key, value] : given_) {
    auto place = values_.find(key);
    if (place == values_.end()) refuse_unknown(owner_ + " key", key, known);
    place->second = value;
  }
}

void Options::refuse(std::string_view key, const std::string& valid) const {
  fail(Status::argument, owner_, ": ", key, "=", text(key), " is not valid; ", key, " is ", valid);
}

std::string Options::text(std::string_view key) const {
  const auto place = values_.find(key);
  if (place == values_.end()) fail(Status::internal, owner_, " reads the key '", key, "' it did not declare");
  return place->second;
}

double Options::real(std::string_view key, double low, double high) const {
  double value = 0;
  if (!parse_real(text(key), value) || value < low || value > high) {
    refuse(key, sentence("a number from ", low, " to ", high));
  }
  return value;
}

double Options::real_above(std::string_view key, double low, double high) const {
  double value = 0;
  if (!parse_real(text(key), value) || value <= low || value > high) {
    refuse(key, sentence("a number in (", low, ", ", high, "]"));
  }
  return value;
}

std::int64_t Options::integer(std::string_view key, std::int64_t low, std::int64_t high) const {
  const std::string value = text(key);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < low || number > high) {
    refuse(key, sentence("an integer from ", low, " to ", high));
  }
  return number;
}

bool Options::flag(std::string_view key) const {
  return choice(key, {"off", "on"}) == 1;
}

std::size_t Options::choice(std::string_view key, std::initializer_list<std::string_view> choices) const {
  const auto place = std::find(choices.begin(), choices.end(), text(key));
  if (place == choices.end()) refuse(key, "one of " + join({choices.begin(), choices.size()}));
  return static_cast<std::size_t>(place - choices.begin());
}

std::string join(std::span<const std::string_view> names, std::string_view separator) {
  std::string text;
  for (std::string_view name : names) {
    if (!text.empty()) text += separator;
    text += name;
  }
  return text;
}

void refuse_unknown(std::string_view kind, std::string_view name, std::span<const std::string_view> known) {
  fail(Status::argument, "unknown ", kind, " '", name, "'; known: ", known.empty() ? "none" : join(known));
}

}  // namespace gossamer
