#include <array>
#include <cmath>

#include "compress/bit_stream.hpp"
#include "lib/base/error.hpp"
#include "lib/gossip/entries.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"theta", "1", "no value differs by more between neighbours, 1e-30 to 1e30; beyond it the result is wrong"},
    Key{"bits", "8", "for each value, 1 to 16"},
};
constexpr std::size_t kRun = 65536;  // values in a message

/// Moniqua (Lu, De Sa, "Moniqua: modulo quantized communication in decentralized SGD", ICML 2020): neighbours' values
/// are closer to each other than θ, so it is enough to send them modulo B = 2θ/(1 − 2δ), rounded to δB. Then
/// x_i <- x_i + Σ_j w_ij (x̂_j − x̂_i), x̂_i being what the others make of x_i. Nothing is remembered.
///
/// A value is its distance around a circle of 2^bits marks to the nearest of them: δ = 2^−(bits + 1).
class Moniqua final : public Mixer {
 public:
  Moniqua(double theta, unsigned bits, std::size_t count)
      : bits_(bits),
        marks_(std::ldexp(1.0, static_cast<int>(bits))),
        circle_(2 * theta / (1 - 1 / marks_)),
        count_(count) {}

  [[nodiscard]] std::size_t messages() const noexcept override {
    return std::max<std::size_t>(1, (count_ + kRun - 1) / kRun);
  }
  [[nodiscard]] std::size_t capacity() const noexcept override { return bytes_of(std::min(kRun, count_)); }

  void begin(const GossipRound& round) override {
    round_ = &round;
    applied_ = false;
    lost_.assign(round.around.in.size(), 0);
  }
  void tell(Note&) const override {}
  Bytes give(std::size_t message, MutableBytes slot) override {
    const std::span<const float> x = part_of(message);
    BitWriter writer(slot);
    for (const float value : x) writer.put(code_of(value), bits_);
    writer.finish();
    return slot.first(bytes_of(x.size()));
  }
  void hear(std::span<const Note>, bool applied) override { applied_ = applied; }
  void lose(std::size_t neighbour) override { lost_[neighbour] = 1; }
  void take(std::size_t message, std::span<const Bytes> arrived) override {
    if (!applied_) return;
    const std::span<float> x = part_of(message);
    change_.assign(x.size(), 0.0);
    own_.resize(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) own_[i] = decode(code_of(x[i]), static_cast<double>(x[i]));
    for (std::size_t j = 0; j < arrived.size(); ++j) {
      if (lost_[j] == 0) add_difference(round_->around.in[j], arrived[j], x);
    }
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<double>(x[i]) + change_[i]);
  }
  void end() override {}

  [[nodiscard]] std::vector<std::span<float>> state() override { return {}; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override {
    return (change_.capacity() + own_.capacity()) * sizeof(double);
  }

 private:
  [[nodiscard]] std::size_t bytes_of(std::size_t values) const noexcept { return (values * bits_ + 7) / 8; }
  [[nodiscard]] std::span<float> part_of(std::size_t message) const noexcept {
    return round_->data.floats().subspan(message * kRun, std::min(kRun, count_ - message * kRun));
  }
  [[nodiscard]] std::uint64_t code_of(float value) const noexcept {
    const double turns = static_cast<double>(value) / circle_;
    const auto mark = static_cast<std::uint64_t>((turns - std::floor(turns)) * marks_ + 0.5);
    return mark & ((std::uint64_t{1} << bits_) - 1);
  }
  /// The value of this code that is nearest to `here`.
  [[nodiscard]] double decode(std::uint64_t code, double here) const noexcept {
    const double turns = static_cast<double>(code) / marks_ - here / circle_;
    return here + circle_ * (turns - std::rint(turns));
  }

  /// change += w_ij (x̂_j − x̂_i)
  void add_difference(const Edge& from, Bytes payload, std::span<const float> x) {
    if (payload.size() != bytes_of(x.size())) {
      fail(Status::corrupt, "a moniqua message of ", bytes_of(x.size()), " bytes arrived from rank ", from.rank, " as ",
           payload.size());
    }
    BitReader reader(payload);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto here = static_cast<double>(x[i]);
      const std::uint64_t code = reader.peek() & ((std::uint64_t{1} << bits_) - 1);
      reader.skip(bits_);
      change_[i] += from.weight * (decode(code, here) - own_[i]);
    }
  }

  unsigned bits_;
  double marks_;   ///< 2^bits
  double circle_;  ///< B
  std::size_t count_;
  std::vector<double> own_;     ///< x̂_i of a message
  std::vector<double> change_;  ///< Σ_j w_ij (x̂_j − x̂_i)
  const GossipRound* round_ = nullptr;
  bool applied_ = false;
  std::vector<char> lost_;  ///< by in-neighbour
};

}  // namespace

MixingEntry moniqua_mixing() noexcept {
  return {.name = "moniqua",
          .summary = "values modulo what neighbours differ by, a few bits each; no codec, no memory (Moniqua)",
          .needs = Stochastic::both,
          .fixed_graph = false,
          .compresses = false,
          .in_own_type = false,
          .survives = true,
          .keys = kKeys,
          .make = [](const Options& options, const MixingSetup& setup) -> std::unique_ptr<Mixer> {
            return std::make_unique<Moniqua>(options.real("theta", 1e-30, 1e30),
                                             static_cast<unsigned>(options.integer("bits", 1, 16)),
                                             setup.shape.count());
          }};
}

}  // namespace gossamer
