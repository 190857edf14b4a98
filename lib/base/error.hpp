#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace gossamer {

/// What went wrong, in the vocabulary of the C API (`goss_status` has the same values).
enum class Status : int {
  ok = 0,
  argument = 1,
  mismatch = 2,
  memory = 3,
  timeout = 4,
  peer = 5,
  corrupt = 6,
  numeric = 7,
  unsupported = 8,
  system = 9,
  internal = 10,
};

/// The one exception type: a status and a sentence that names the value, the valid ones, or the rank.
class Error : public std::runtime_error {
 public:
  Error(Status status, const std::string& sentence) : std::runtime_error(sentence), status_(status) {}
  [[nodiscard]] Status status() const noexcept { return status_; }

 private:
  Status status_;
};

/// Joins anything streamable into one sentence: `sentence("ratio=", 2.0, " is outside (0, 1]")`.
template <typename... Parts>
std::string sentence(Parts&&... parts) {
  std::ostringstream text;
  (text << ... << std::forward<Parts>(parts));
  return std::move(text).str();
}

/// Throws `Error{status}` with the parts joined.
template <typename... Parts>
[[noreturn]] void fail(Status status, Parts&&... parts) {
  throw Error(status, sentence(std::forward<Parts>(parts)...));
}

}  // namespace gossamer
