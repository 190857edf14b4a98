#pragma once

#include <memory>
#include <vector>

#include "lib/gossip/mixer.hpp"
#include "lib/gossip/payload_stream.hpp"

namespace gossamer {

/// What methods have in common in which a rank compresses one vector in a round, with the tensor's codec, and tells all
/// its neighbours.
///
/// With `Says::scaled_codes` each message carries the factor α = <v, Q(v)>/‖Q(v)‖² that Q(v) is multiplied by. It
/// makes every codec a contraction, ‖v − αQ(v)‖² = ‖v‖² − <v, Q(v)>²/‖Q(v)‖², unbiased ones and bare signs, too.
class CompressingMixer : public Mixer {
 public:
  enum class Says {
    scaled_codes,
    codes_or_values,  ///< the codec's output as it is, or, see send_exactly(), the vector itself
  };

  CompressingMixer(const MixingSetup& setup, Says says);

  [[nodiscard]] std::size_t messages() const noexcept final { return own().messages(); }
  [[nodiscard]] std::size_t capacity() const noexcept final;
  void begin(const GossipRound& round) final;
  Bytes give(std::size_t message, MutableBytes slot) final;
  void hear(std::span<const Note> notes, bool applied) override;
  void lose(std::size_t neighbour) override;
  void take(std::size_t message, std::span<const Bytes> arrived) final;
  [[nodiscard]] std::vector<std::span<float>> state() final;
  [[nodiscard]] std::size_t memory_bytes() const noexcept final;

 protected:
  /// Part of a vector that a message says something about.
  class Said {
   public:
    Said(PayloadStream& stream, std::size_t message, float scale) noexcept
        : stream_(stream), first_(stream.first(message)), count_(stream.count(message)), scale_(scale) {}
    /// whole += weight · what is said, where something is.
    void add(double weight, std::span<float> whole) const {
      if (scale_ != 0) stream_.add(static_cast<float>(weight * static_cast<double>(scale_)), part(whole));
    }
    [[nodiscard]] std::span<float> part(std::span<float> whole) const noexcept { return whole.subspan(first_, count_); }

   private:
    PayloadStream& stream_;
    std::size_t first_;
    std::size_t count_;
    float scale_;
  };

  /// At the start of every round.
  virtual void prepare() {}
  /// Then, unless this rank's model is not finite: fills vector(), what is to be compressed.
  virtual void compose() = 0;
  /// What this rank has told the neighbours, message by message; vector() still has the input.
  virtual void said(const Said& own) = 0;
  /// What an in-neighbour has told.
  virtual void heard(const Edge& from, const Said& theirs) = 0;
  /// Nothing has been heard, of a part of the model, of a neighbour that is lost.
  virtual void missed(const Edge& /*from*/, std::size_t /*first*/, std::size_t /*count*/) {}
  /// Squared norms of input and of what the scaled output explains of it, for each message.
  virtual void measured(double, double) {}

  [[nodiscard]] const GossipRound& round() const noexcept { return *round_; }
  [[nodiscard]] std::span<float> values() const noexcept { return round_->data.floats(); }
  [[nodiscard]] std::span<float> vector() noexcept { return vector_; }
  [[nodiscard]] bool applied() const noexcept { return applied_; }
  /// Vectors and scalars of the method that are saved: `count` floats, zero at first. In the constructor.
  std::span<float> remember(std::size_t count);
  /// In prepare(): whether the vector goes as it is in this round. Of those who say values only.
  void send_exactly(bool exactly) noexcept { exactly_ = exactly; }

 private:
  struct Streams {
    std::unique_ptr<PayloadStream> own;
    std::vector<int> senders;                            ///< all in-neighbours, if the codec learns
    std::vector<std::unique_ptr<PayloadStream>> theirs;  ///< of each of them, or else one for all
  };
  static Streams make_streams(std::string_view codec, const MixingSetup& setup);
  [[nodiscard]] PayloadStream& own() const noexcept { return *streams().own; }
  [[nodiscard]] PayloadStream& theirs(int sender) const noexcept;

  [[nodiscard]] const Streams& streams() const noexcept { return exactly_ ? exact_ : coded_; }

  Says says_;
  Streams coded_;
  Streams exact_;  // none for those who say codes only
  bool exactly_ = false;
  std::vector<float> vector_;
  std::vector<float> decoded_;
  std::vector<std::vector<float>> remembered_;
  const GossipRound* round_ = nullptr;
  bool applied_ = false;
  std::vector<char> refused_;  // by in-neighbour: it sends nothing in this round
  std::vector<char> lost_;     // by in-neighbour: it has died
};

}  // namespace gossamer
