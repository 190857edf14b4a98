#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/philox.hpp"

/// Which elements of a tensor travel, where all ranks know that without being told. What travels is a vector with a
/// *slot* for each of them. Positions have
///
///     for_slots(first, count, use)      what slots [first, first + count) hold,
///     for_elements(first, count, use)   which slots hold elements [first, first + count) of the tensor,
///
/// both as calls use(slot, element, length) for runs of neighbours, ascending in what was asked for.
namespace gossamer {

/// A number below `bound` from 64 random bits; no number is more likely than another by more than bound / 2^64.
inline std::uint64_t below(std::uint64_t bits, std::uint64_t bound) noexcept {
  __extension__ using Product = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Product>(bits) * bound >> 64);
}

/// max(1, floor(ratio · count)) of `count` elements; 0 of none.
std::size_t chosen_count(double ratio, std::size_t count) noexcept;

/// Single elements, ascending.
class ElementList {
 public:
  [[nodiscard]] std::span<const std::size_t> elements() const noexcept { return elements_; }
  [[nodiscard]] std::vector<std::size_t>& elements() noexcept { return elements_; }

  template <class Use>
  void for_slots(std::size_t first, std::size_t count, const Use& use) const {
    for (std::size_t slot = first; slot < first + count; ++slot) use(slot, elements_[slot], std::size_t{1});
  }
  template <class Use>
  void for_elements(std::size_t first, std::size_t count, const Use& use) const {
    const auto start = std::lower_bound(elements_.begin(), elements_.end(), first);
    for (auto slot = static_cast<std::size_t>(start - elements_.begin());
         slot < elements_.size() && elements_[slot] < first + count; ++slot) {
      use(slot, elements_[slot], std::size_t{1});
    }
  }

 private:
  std::vector<std::size_t> elements_;
};

/// `chosen` of `count` elements, every set of that size as likely as any other.
class RandomSubset : public ElementList {
 public:
  RandomSubset(std::size_t count, std::size_t chosen) : count_(count), bits_((count + 63) / 64) {
    elements().resize(chosen);
  }
  /// By Floyd's method (Bentley, "Programming pearls", CACM 30(9), 1987) in a bitmap of the tensor: for j from
  /// count − chosen to count − 1 a random t ≤ j joins, or j if t is in. Draw j − (count − chosen) takes 64 bits of the
  /// stream. Of more than half, what is left out is drawn.
  void draw(const RandomStream& shared);

 private:
  void mark(std::uint64_t bits, std::size_t last) noexcept;

  std::size_t count_;
  std::vector<std::uint64_t> bits_;
};

/// `chosen` neighbours of `count` elements, the first following the last; every start as likely as any other.
class RandomBlock {
 public:
  RandomBlock(std::size_t count, std::size_t chosen) noexcept : count_(count), chosen_(chosen) {}
  void draw(const RandomStream& shared) noexcept;

  template <class Use>
  void for_slots(std::size_t first, std::size_t count, const Use& use) const {
    const std::size_t before_end = std::min(chosen_, count_ - start_);  // slots of the elements from start_ on
    const std::size_t split = std::clamp(before_end, first, first + count);
    if (split > first) use(first, start_ + first, split - first);
    if (first + count > split) use(split, split - before_end, first + count - split);
  }
  template <class Use>
  void for_elements(std::size_t first, std::size_t count, const Use& use) const {
    const std::size_t before_end = std::min(chosen_, count_ - start_);
    const auto meet = [&](std::size_t from, std::size_t length, std::size_t slot) {
      const std::size_t low = std::max(first, from);
      const std::size_t high = std::min(first + count, from + length);
      if (low < high) use(slot + low - from, low, high - low);
    };
    meet(0, chosen_ - before_end, before_end);
    meet(start_, before_end, 0);
  }

 private:
  std::size_t count_;
  std::size_t chosen_;
  std::size_t start_ = 0;
};

/// out = scale · what slots [slot, slot + out.size()) hold of `tensor`.
template <class Positions>
void gather(const Positions& positions, std::span<const float> tensor, float scale, std::size_t slot,
            std::span<float> out) {
  positions.for_slots(slot, out.size(), [&](std::size_t at, std::size_t element, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) out[at - slot + i] = scale * tensor[element + i];
  });
}

/// out = elements [offset, offset + out.size()) of a tensor that is `slots` at the positions and 0 elsewhere.
template <class Positions>
void scatter(const Positions& positions, std::span<const float> slots, std::size_t offset, std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0F);
  positions.for_elements(offset, out.size(), [&](std::size_t at, std::size_t element, std::size_t length) {
    std::copy_n(slots.data() + at, length, out.data() + (element - offset));
  });
}

/// The same of a tensor whose elements [offset, offset + out.size()) are `values`, which come scaled.
template <class Positions>
void keep(const Positions& positions, std::span<const float> values, float scale, std::size_t offset,
          std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0F);
  positions.for_elements(offset, out.size(), [&](std::size_t, std::size_t element, std::size_t length) {
    for (std::size_t i = element - offset; i < element - offset + length; ++i) out[i] = scale * values[i];
  });
}

}  // namespace gossamer
