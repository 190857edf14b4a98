#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/spec.hpp"

namespace gossamer {

/// An optimiser of local methods: it takes what many local steps and an exchange have come to as one step from the
/// model after the exchange before, and gives it momentum. The first exchange is where it begins.
///
///   u <- beta·u + (x_0 − x),   x <- x_0 − alpha·u,   or with Nesterov's look ahead x_0 − alpha·((x_0 − x) + beta·u)
class OuterOptimiser {
 public:
  struct Rule {
    float alpha = 1;
    float beta = 0;
    bool nesterov = false;
  };

  OuterOptimiser(const Rule& rule, std::size_t count) : rule_(rule), memory_(2 * count + 1), count_(count) {}

  /// `model`: what the exchange has come to, replaced by where the next local steps start.
  void step(std::span<float> model) noexcept;
  /// What is to be saved.
  [[nodiscard]] std::span<float> state() noexcept { return memory_; }

 private:
  Rule rule_;
  std::vector<float> memory_;  ///< x_0, u, and whether there has been an exchange
  std::size_t count_;
};

/// One line of the registry of `outer=`.
struct OuterEntry {
  std::string_view name;
  std::string_view summary;
  std::span<const Key> keys;
  OuterOptimiser::Rule (*rule)(const Options& options, int ranks);
};

std::span<const OuterEntry> outer_optimisers() noexcept;

/// Null for "none". Throws `argument` for an unknown optimiser, key or value.
std::unique_ptr<OuterOptimiser> make_outer(std::string_view spec, std::size_t count, int ranks);

}  // namespace gossamer
