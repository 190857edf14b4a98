#include "compress/entries.hpp"
#include "compress/shared_choice.hpp"
#include "compress/wire.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"ratio", "0.01", "share of the elements in the block, in (0, 1]"},
    kWireKey,
};

/// One block at a random place, the same on all ranks: the block-wise random choice that PowerSGD is compared with in
/// Vogels, Karimireddy, Jaggi, NeurIPS 2019.
std::unique_ptr<TensorCodec> make_randomblock(const Options& options, const Shape& shape) {
  const std::size_t chosen = chosen_count(options.real_above("ratio", 0, 1), shape.count());
  using Block = SharedChoice<RandomBlock>;
  return std::make_unique<Block>(Block::Setup{"randomblock.1", wire_of(options), false}, shape.count(), chosen);
}

}  // namespace

CodecEntry randomblock_entry() noexcept {
  return {.name = "randomblock",
          .summary = "one run of neighbouring values at a random place, the same on all ranks",
          .error_feedback = true,
          .error = 1,
          .keys = kKeys,
          .make = make_randomblock};
}

}  // namespace gossamer
