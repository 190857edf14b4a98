#pragma once

#include <memory>

#include "compress/codec.hpp"

namespace gossamer::tools {

/// One tensor of one rank under a codec, step by step, so that each can be timed. Calls come in the order below.
class CodecBench {
 public:
  explicit CodecBench(TensorCodec& codec) noexcept : codec_(codec) {}
  virtual ~CodecBench() = default;

  /// What comes before the encoding: `tensor` becomes what is encoded, and stays unchanged until decode() returns.
  void condition(Chunk tensor, const StepContext& context);
  virtual void begin(Chunk tensor, const StepContext& context) = 0;
  [[nodiscard]] SharedMaxima* maxima() noexcept { return dynamic_cast<SharedMaxima*>(&codec_); }
  virtual void encode() = 0;
  [[nodiscard]] virtual std::size_t payload_bytes() const noexcept = 0;
  /// out += what was encoded, where `out` is zeros.
  virtual void decode(std::span<float> out) = 0;

 private:
  TensorCodec& codec_;
};

/// For a codec of either kind, which must outlive the bench, and a tensor of `count` elements.
std::unique_ptr<CodecBench> make_bench(TensorCodec& codec, std::size_t count);

}  // namespace gossamer::tools
