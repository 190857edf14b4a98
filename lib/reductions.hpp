#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compress/ways.hpp"
#include "lib/all_reduce.hpp"

namespace gossamer {

/// What a rank's calls have shown of a tensor's density. Ranks tell each other before every call; part of saved state.
struct Measured {
  float own = 0;          ///< share of the elements in this rank's contribution; 0: not known yet
  float sum = 0;          ///< share of the elements in the sum
  std::uint32_t age = 0;  ///< calls since
};

/// The all-reduces with which a tensor of a stepwise codec can be summed: one or, under reduce=auto, one for each way.
/// Then each call takes the way that is predicted to send least by what calls before it have measured; ranks predict
/// from the same numbers and so take the same. The ways work in the same memory by turns, and nothing of a call stays
/// there, so that any may follow any.
class Reductions {
 public:
  /// `ways` are of Codecs; several are of Sparse ones.
  Reductions(Engine& engine, const std::vector<Leg>& legs, std::vector<Way> ways, const Shape& shape);

  /// Whether there is more than one way.
  [[nodiscard]] bool chooses() const noexcept { return ways_.size() > 1; }
  /// Before a call. `all`: the mean of what the ranks measured of their own, and the largest of the rest.
  void choose(const Measured& all);
  /// Of the way that is taken.
  [[nodiscard]] Codec& codec() const noexcept { return dynamic_cast<Codec&>(*ways_[taken_].codec); }
  [[nodiscard]] AllReduce& all_reduce() const noexcept { return *all_reduces_[taken_]; }
  /// Where the call about to be made counts; null if there is nothing to choose.
  [[nodiscard]] Entries* entries() noexcept;
  /// After a call that has succeeded.
  void called() noexcept;
  /// What to tell before the next call.
  [[nodiscard]] Measured& measured() noexcept { return measured_; }
  /// Codecs as new, and nothing measured.
  void reset();

  [[nodiscard]] std::size_t memory_bytes() const noexcept { return slots_.size(); }
  /// The way taken, since when, and what each is predicted to send; empty if there is nothing to choose.
  [[nodiscard]] std::string describe() const;

 private:
  Shape shape_;
  std::vector<Stage> stages_;
  std::vector<Way> ways_;
  Slots slots_;
  std::vector<std::unique_ptr<AllReduce>> all_reduces_;  // of `ways_`
  std::size_t taken_ = 0;
  Measured measured_;
  std::optional<Density> density_;  // by which the last choice was made
  Entries entries_;
  std::uint64_t calls_ = 0;
  std::uint64_t since_ = 1;  // the call with which the way was taken up
};

/// What bytes depend on of the dimensions.
std::vector<Stage> stages_of(const std::vector<Leg>& legs);

}  // namespace gossamer
