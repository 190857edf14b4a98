#pragma once

#include <string_view>
#include <vector>

#include "compress/codec.hpp"
#include "compress/positions.hpp"

namespace gossamer {

/// Values at positions drawn anew for each call, from the stream that all ranks share: values alone travel, in one
/// round. `scale` is what they are multiplied by: 1, or elements per chosen element to make the sum unbiased.
template <class Positions>
class SharedChoice final : public LinearCodec, public OwnContribution {
 public:
  struct Setup {
    std::string_view name;
    std::string_view wire;
    bool scaled = false;
  };

  SharedChoice(const Setup& setup, std::size_t count, std::size_t chosen)
      : setup_(setup),
        scale_(setup.scaled && chosen > 0 ? static_cast<float>(static_cast<double>(count) / static_cast<double>(chosen))
                                          : 1.0F),
        positions_(count, chosen),
        sum_(chosen) {}

  [[nodiscard]] std::string_view name() const noexcept override { return setup_.name; }
  [[nodiscard]] std::span<float> state() noexcept override { return {}; }
  void reset() override {}
  [[nodiscard]] int rounds() const noexcept override { return 1; }
  [[nodiscard]] std::size_t round_count(int) const noexcept override { return sum_.size(); }
  [[nodiscard]] std::string_view wire() const noexcept override { return setup_.wire; }
  void begin(Chunk tensor, const StepContext& context) override {
    tensor_ = tensor.floats();
    positions_.draw(context.shared);
  }
  void project(int, std::size_t offset, std::span<float> out) override {
    gather(positions_, tensor_, scale_, offset, out);
  }
  void absorb(int, std::span<const float> sum) override { std::copy(sum.begin(), sum.end(), sum_.begin()); }
  void reconstruct(std::size_t offset, std::span<float> out) const override { scatter(positions_, sum_, offset, out); }
  void contribution(std::size_t offset, std::span<const float> values, std::span<float> out) const override {
    keep(positions_, values, scale_, offset, out);
  }

 private:
  Setup setup_;
  float scale_;
  Positions positions_;
  std::span<const float> tensor_;
  std::vector<float> sum_;
};

}  // namespace gossamer
