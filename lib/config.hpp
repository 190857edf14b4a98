#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/log.hpp"
#include "lib/base/spec.hpp"

namespace gossamer {

/// What a communicator was asked to be: `key=value key=value …`, each key overridden by GOSSAMER_<KEY> in the
/// environment.
struct Config {
  std::string topology;
  std::string weights;
  std::string codec;
  std::string mixing;
  std::string outer;
  std::uint64_t every = 1;
  std::uint64_t every_from = 0;
  std::optional<std::uint64_t> staleness;  ///< none: goss_pull does not wait
  std::string transport;
  double timeout_seconds = 30;
  bool survives = false;  ///< gossip goes on without ranks that die
  std::uint64_t seed = 0;
  bool progress_thread = true;
  bool nonfinite_is_error = true;
  std::size_t min_compress = 1024;
  bool whole_model = false;
  LogLevel log = LogLevel::warn;
  std::string trace;      ///< file name, or empty
  std::string interface;  ///< network device, or empty

  /// Throws `argument`: names the key, the value and the valid ones.
  static Config parse(std::string_view text);
  /// The keys on which all ranks must agree, as one text.
  [[nodiscard]] std::string common() const;
};

/// Every configuration key with its default and meaning.
std::span<const Key> config_keys() noexcept;

}  // namespace gossamer
