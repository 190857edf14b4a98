#pragma once

#include <stdexcept>

namespace surrogate {

/// A mistake of the user's: thrown on every rank alike, so that one rank's report is enough.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A Gossamer call that failed, in the words of goss_last_error().
class ExchangeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace surrogate
