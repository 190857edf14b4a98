#include <algorithm>
#include <array>
#include <limits>

#include "compress/low_rank.hpp"
#include "compress/orthonormal.hpp"
#include "compress/thin_products.hpp"
#include "lib/base/error.hpp"
#include "lib/gossip/entries.hpp"

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"rank", "1", "of what two neighbours learn of their difference in an iteration, from 1"},
    Key{"iterations", "1", "of a round, 1 to 64; each is a message, which waits for the neighbours' before it"},
};

/// PowerGossip (Vogels, Karimireddy, Jaggi, "Practical low-rank communication compression in decentralized deep
/// learning", NeurIPS 2020): neighbours i < j run a power iteration on D = X_i − X_j, which neither has. Both know an
/// orthonormal basis P and tell each other X P; the difference of the two is D P. Both models then lose, or gain, w_ij
/// of D P Pᵀ, the part of D that lies in the basis, and Q = D P, made orthonormal, is the next basis, for Dᵀ. Parts of
/// differences are never longer than these, so there is no step size; and what one gains the other loses.
class PowerGossip final : public Mixer, public Edgewise {
 public:
  struct Sizes {
    low_rank::Sides sides;
    std::size_t rank;
    std::size_t iterations;
  };

  PowerGossip(const Sizes& sizes, const MixingSetup& setup)
      : sizes_(sizes), me_(setup.rank), products_(sizes.sides.rows, sizes.sides.cols, sizes.rank) {
    for (const Edge& edge : setup.topology.at(setup.rank, 0).in) links_.emplace_back(edge.rank, factor_floats());
  }

  [[nodiscard]] std::size_t messages() const noexcept override { return sizes_.iterations; }
  [[nodiscard]] std::size_t ahead() const noexcept override { return 1; }
  [[nodiscard]] std::size_t capacity() const noexcept override { return factor_floats() * sizeof(float); }

  void begin(const GossipRound& round) override {
    round_ = &round;
    products_.set(round.data.floats().data());
  }
  void tell(Note&) const override {}
  void turn_to(std::size_t neighbour) noexcept override { listener_ = &link_to(round_->around.out[neighbour].rank); }
  Bytes give(std::size_t message, MutableBytes slot) override {
    Link& link = *listener_;
    find_basis(link, static_cast<std::uint32_t>(message));
    const std::span<float> product = link.product(sizes_);
    if (link.left()) {
      products_.transposed_times(products_.left(link.basis), 0, product);
    } else {
      products_.times(products_.right(link.basis), 0, product);
    }
    std::ranges::copy(std::as_bytes(product), slot.begin());
    return slot.first(product.size_bytes());
  }
  void hear(std::span<const Note> notes, bool applied) override {
    applied_ = applied;
    silent_.clear();
    for (const Note& note : notes) silent_.push_back(!round_->finite || (note.flags & Note::refused) != 0 ? 1 : 0);
  }
  void take(std::size_t, std::span<const Bytes> arrived) override {
    for (std::size_t j = 0; j < arrived.size(); ++j) {
      if (silent_[j] != 0) continue;
      const Edge& edge = round_->around.in[j];
      Link& link = link_to(edge.rank);
      find_difference(link, arrived[j]);
      if (applied_) approach(link, static_cast<float>(edge.weight));
      link.change_sides();
    }
  }
  void end() override {}

  [[nodiscard]] std::vector<std::span<float>> state() override {
    std::vector<std::span<float>> all;
    for (Link& link : links_) all.emplace_back(link.memory);
    return all;
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override {
    return links_.size() * (3 * factor_floats() + 1) * sizeof(float);
  }

 private:
  /// What two neighbours have in common, the same bits at both ends.
  struct Link {
    Link(int rank, std::size_t floats) : neighbour(rank), memory(floats + 1), basis(floats), sent(floats) {}

    int neighbour;
    std::vector<float> memory;  ///< what becomes the next basis, zero at first; and whether that is on the left
    std::vector<float> basis;   ///< of this iteration, by columns
    std::vector<float> sent;    ///< this rank's product with it, then that of the difference, by rows

    [[nodiscard]] bool left() const noexcept { return memory.back() != 0; }
    void change_sides() noexcept { memory.back() = left() ? 0.0F : 1.0F; }
    [[nodiscard]] std::span<float> product(const Sizes& sizes) noexcept {
      return std::span(sent).first((left() ? sizes.sides.cols : sizes.sides.rows) * sizes.rank);
    }
  };

  [[nodiscard]] std::size_t factor_floats() const noexcept {
    return sizes_.rank * std::max(sizes_.sides.rows, sizes_.sides.cols);
  }
  [[nodiscard]] Link& link_to(int rank) noexcept { return *std::ranges::find(links_, rank, &Link::neighbour); }
  [[nodiscard]] bool lower(const Link& link) const noexcept { return me_ < link.neighbour; }

  /// Memory stays as it is: should the neighbour turn out to be silent, neither end has moved on.
  void find_basis(Link& link, std::uint32_t iteration) {
    const std::size_t length = link.left() ? sizes_.sides.rows : sizes_.sides.cols;
    const std::span<float> basis = std::span(link.basis).first(length * sizes_.rank);
    std::ranges::copy(std::span(link.memory).first(basis.size()), basis.begin());
    const int ends[] = {std::min(me_, link.neighbour), std::max(me_, link.neighbour)};
    RandomStream shared = round_->context.shared;
    shared.seed = fnv1a(reinterpret_cast<const char*>(ends), sizeof ends, shared.seed);
    SharedDraws draws(shared, iteration);
    orthonormalise(basis, length, draws);
  }

  /// The product of X_i − X_j, i < j, into memory.
  void find_difference(Link& link, Bytes theirs) {
    const std::span<float> product = link.product(sizes_);
    if (theirs.size() != product.size_bytes()) {
      fail(Status::corrupt, "a powergossip message of ", product.size_bytes(), " bytes arrived from rank ",
           link.neighbour, " as ", theirs.size());
    }
    for (std::size_t i = 0; i < product.size(); ++i) {
      float other = 0;
      std::memcpy(&other, theirs.data() + i * sizeof other, sizeof other);
      product[i] = lower(link) ? product[i] - other : other - product[i];
    }
    transpose(product, sizes_.rank, std::span(link.memory).first(product.size()));
  }

  /// Moves this rank's model by `weight` of what has been learnt.
  void approach(const Link& link, float weight) {
    const float scale = lower(link) ? -weight : weight;
    const skinny::Factor left = products_.left(link.left() ? link.basis : link.memory);
    const skinny::Factor right = products_.right(link.left() ? link.memory : link.basis);
    const std::span<float> model = round_->data.floats();
    std::array<float, 4096> block;
    for (std::size_t at = 0; at < model.size(); at += block.size()) {
      const std::span<float> part = std::span(block).first(std::min(block.size(), model.size() - at));
      products_.outer(left, right, at, part);
      for (std::size_t i = 0; i < part.size(); ++i) model[at + i] += scale * part[i];
    }
  }

  Sizes sizes_;
  int me_;
  ThinProducts products_;
  std::vector<Link> links_;
  Link* listener_ = nullptr;
  const GossipRound* round_ = nullptr;
  bool applied_ = false;
  std::vector<char> silent_;  // by in-neighbour: one of the two has told the other nothing
};

/// Where factors would be no shorter than the matrix, it is averaged as it is.
std::unique_ptr<Mixer> make_powergossip(const Options& options, const MixingSetup& setup) {
  const low_rank::Sides sides = low_rank::sides_of(setup.shape);
  const auto rank = static_cast<std::size_t>(options.integer("rank", 1, std::numeric_limits<std::int32_t>::max()));
  const auto iterations = static_cast<std::size_t>(options.integer("iterations", 1, 64));
  if (rank >= std::min(sides.rows, sides.cols)) {
    return average_mixing().make(options, {{DType::float32, setup.shape.dims}, "identity", setup.topology, setup.rank});
  }
  return std::make_unique<PowerGossip>(PowerGossip::Sizes{sides, rank, iterations}, setup);
}

}  // namespace

MixingEntry powergossip_mixing() noexcept {
  return {.name = "powergossip",
          .summary = "low-rank parts of neighbours' differences, by power iteration; no codec, no step size",
          .needs = Stochastic::both,
          .fixed_graph = true,
          .compresses = false,
          .in_own_type = false,
          .keys = kKeys,
          .make = make_powergossip,
          .two_way = true};
}

}  // namespace gossamer
