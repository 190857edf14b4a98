#include "compress/positions.hpp"

#include <array>
#include <bit>
#include <cmath>

#include "compress/kernels.hpp"

namespace gossamer {

std::size_t chosen_count(double ratio, std::size_t count) noexcept {
  if (count == 0) return 0;
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::floor(ratio * static_cast<double>(count))), 1, count);
}

void RandomSubset::mark(std::uint64_t bits, std::size_t last) noexcept {
  const std::uint64_t drawn = below(bits, last + 1);
  const bool taken = (bits_[drawn / 64] >> (drawn % 64) & 1) != 0;
  const std::uint64_t joins = taken ? last : drawn;
  bits_[joins / 64] |= std::uint64_t{1} << (joins % 64);
}

void RandomSubset::draw(const RandomStream& shared) {
  const std::size_t chosen = elements().size();
  const bool invert = chosen > count_ / 2;
  const std::size_t marks = invert ? count_ - chosen : chosen;
  std::fill(bits_.begin(), bits_.end(), 0);
  std::array<std::uint32_t, 512> words{};
  for (std::size_t at = 0; at < marks; at += words.size() / 2) {
    const std::size_t draws = std::min(words.size() / 2, marks - at);
    kernels::random_words(shared, 2 * at, std::span(words).first(2 * draws));
    for (std::size_t i = 0; i < draws; ++i) {
      mark(std::uint64_t{words[2 * i + 1]} << 32 | words[2 * i], count_ - marks + at + i);
    }
  }
  std::size_t slot = 0;
  for (std::size_t word = 0; word < bits_.size(); ++word) {
    std::uint64_t left = invert ? ~bits_[word] : bits_[word];
    for (; left != 0 && slot < chosen; left &= left - 1) {
      elements()[slot++] = 64 * word + static_cast<std::size_t>(std::countr_zero(left));
    }
  }
}

void RandomBlock::draw(const RandomStream& shared) noexcept {
  const auto words = shared.words(0);
  start_ = count_ == 0 ? 0 : below(std::uint64_t{words[1]} << 32 | words[0], count_);
}

}  // namespace gossamer
