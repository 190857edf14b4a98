#pragma once

#include <memory>

#include "compress/codec.hpp"

namespace gossamer {

/// What one rank tells of a vector of its own, round after round, with any codec: no sums are formed on the way. The
/// sender has an object, and every receiver one of its own for each sender, so that what a codec learns stays in step.
///
/// In a round the sender calls begin() and then encode() for each message, a receiver expect() and then open(); both
/// can then add() what the last message says, as often as they like.
class PayloadStream {
 public:
  virtual ~PayloadStream() = default;

  /// Messages of a round, the elements that one stands for, and the most bytes of one.
  [[nodiscard]] virtual std::size_t messages() const noexcept = 0;
  [[nodiscard]] virtual std::size_t first(std::size_t message) const noexcept = 0;
  [[nodiscard]] virtual std::size_t count(std::size_t message) const noexcept = 0;
  [[nodiscard]] virtual std::size_t capacity() const noexcept = 0;
  /// False: receivers have nothing to remember, and one object serves for all senders.
  [[nodiscard]] virtual bool learns() const noexcept = 0;

  /// `values` is the whole vector and stays as it is until the last encode().
  virtual void begin(std::span<float> values, const StepContext& context) = 0;
  virtual Bytes encode(std::size_t message, MutableBytes slot) = 0;

  /// `any` is a vector of the same length, which must stay until the next round: codecs want one to work on, although
  /// what a receiver decodes does not depend on it.
  virtual void expect(std::span<float> any, const StepContext& context) = 0;
  /// Throws `corrupt` for bytes that no encode() makes, now or in add().
  virtual void open(std::size_t message, Bytes payload) = 0;

  /// out += scale · what the last message encoded or opened says; `out` are the elements it stands for.
  virtual void add(float scale, std::span<float> out) = 0;

  /// The codec's memory, for `goss_tensor_save`.
  [[nodiscard]] virtual std::span<float> state() noexcept = 0;
};

/// Of a float vector of this shape with this codec.
std::unique_ptr<PayloadStream> make_payload_stream(std::string_view codec, const Shape& shape);

}  // namespace gossamer
