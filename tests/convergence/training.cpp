#include "tests/convergence/training.hpp"

#include "tests/convergence/batches.hpp"
#include "tests/convergence/network.hpp"
#include "tests/world.hpp"

namespace gossamer::convergence {
namespace {

constexpr int kWidths[] = {64, 96, 48, 10};
constexpr std::uint32_t kSeeds[] = {1, 2, 3};
constexpr int kBatch = 16;  // images per rank
constexpr float kRate = 0.4F;
constexpr float kMomentum = 0.9F;
constexpr std::size_t kCompressed = 1024;  // elements: the library's min_compress

/// A layer's part in the exchange.
struct Exchange {
  test::TensorHandle weight, bias;
  goss_request* pending[2] = {nullptr, nullptr};
};

/// One rank's copy of the model of one seed.
class Trainee {
 public:
  Trainee(goss_comm* comm, const Recipe& recipe, const Images& shard, std::uint32_t seed)
      : recipe_(recipe),
        network_(kWidths, seed),
        gradient_(zeros_like(network_.layers())),
        velocity_(gradient_),
        batches_(shard, kBatch, 1000 * seed + static_cast<std::uint32_t>(goss_comm_rank(comm))),
        sign_(goss_comm_rank(comm) < recipe.inverted ? -1.0F : 1.0F),
        tell_moments_(recipe.codec.starts_with("variance")) {
    for (const Layer& layer : network_.layers()) {
      const auto outputs = static_cast<std::size_t>(layer.weight.rows());
      const auto inputs = static_cast<std::size_t>(layer.weight.cols());
      const std::string name = sentence("seed", seed, ".layer", exchanges_.size());
      exchanges_.push_back({test::make_tensor(comm, name + ".weight", {outputs, inputs}, recipe.codec),
                            test::make_tensor(comm, name + ".bias", {outputs}, recipe.codec)});
    }
  }

  void shuffle() { batches_.shuffle(); }
  /// Computes the gradient of batch number `batch` of the epoch and starts to average it.
  void start(int batch) {
    batches_.draw(batch);
    network_.backpropagate(batches_.pixels(), batches_.labels(), gradient_);
    for (std::size_t l = gradient_.size(); l-- > 0;) {
      if (compressed(l)) gradient_[l].weight *= sign_;
      Exchange& on = exchanges_[l];
      if (tell_moments_ && compressed(l)) {
        const Matrix moments = network_.second_moments(l);
        test::ok(goss_tensor_second_moments(on.weight.get(), moments.data()), recipe_.codec);
      }
      test::ok(goss_iallreduce(on.weight.get(), gradient_[l].weight.data(), GOSS_MEAN, &on.pending[0]), recipe_.codec);
      test::ok(goss_iallreduce(on.bias.get(), gradient_[l].bias.data(), GOSS_MEAN, &on.pending[1]), recipe_.codec);
    }
  }
  /// Waits for the averages and takes a step; `progress` from 0 to 1 through the training.
  void finish(double progress) {
    // Momentum multiplies the steps in the long run; without it they are that much longer.
    const float step = recipe_.momentum == Momentum::none ? kRate : kRate * (1 - kMomentum);
    const float dense = step * static_cast<float>(1 - progress);
    const float keep = recipe_.momentum == Momentum::optimiser ? kMomentum : 0.0F;
    for (std::size_t l = gradient_.size(); l-- > 0;) {
      test::ok(goss_wait_all(2, exchanges_[l].pending), recipe_.codec);
      velocity_[l].weight = keep * velocity_[l].weight + gradient_[l].weight;
      velocity_[l].bias = keep * velocity_[l].bias + gradient_[l].bias;
      const float rate = compressed(l) ? dense * static_cast<float>(recipe_.rate) : dense;
      network_.layers()[l].weight -= rate * velocity_[l].weight;
      network_.layers()[l].bias -= dense * velocity_[l].bias;
    }
  }
  [[nodiscard]] double accuracy(const Images& images) { return network_.accuracy(images.pixels, images.labels); }
  [[nodiscard]] double wire_bytes() const {
    double bytes = 0;
    for (std::size_t l = 0; l < exchanges_.size(); ++l) {
      if (!compressed(l)) continue;
      goss_stats stats{};
      stats.struct_size = sizeof stats;
      test::ok(goss_tensor_stats(exchanges_[l].weight.get(), &stats), "statistics");
      bytes += static_cast<double>(stats.bytes_sent);
    }
    return bytes;
  }

 private:
  [[nodiscard]] bool compressed(std::size_t layer) const {
    return static_cast<std::size_t>(gradient_[layer].weight.size()) >= kCompressed;
  }

  const Recipe& recipe_;
  Network network_;
  Layers gradient_, velocity_;
  Batches batches_;
  std::vector<Exchange> exchanges_;
  float sign_;
  bool tell_moments_;
};

/// All seeds' models train side by side: one's exchange is hidden behind the next one's gradients.
void run(std::vector<Trainee>& trainees, int epochs, int batches) {
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (Trainee& each : trainees) each.shuffle();
    for (int batch = 0; batch < batches; ++batch) {
      const double progress = static_cast<double>(epoch * batches + batch) / (epochs * batches);
      for (Trainee& each : trainees) each.start(batch);
      for (Trainee& each : trainees) each.finish(progress);
    }
  }
}

}  // namespace

Outcome train(const Recipe& recipe, const Digits& digits) {
  test::ThreadGroup group(kRanks);
  std::vector<Outcome> outcomes(kRanks);
  test::run_ranks(kRanks, [&](int rank) {
    const test::CommHandle comm = test::make_comm(group, rank, "transport=inproc topology=ring");
    std::vector<Trainee> trainees;
    for (const std::uint32_t seed : kSeeds) {
      trainees.emplace_back(comm.get(), recipe, digits.shards[static_cast<std::size_t>(rank)], seed);
    }
    run(trainees, recipe.epochs, batches_of(digits, kBatch));
    Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
    for (Trainee& each : trainees) {
      outcome.accuracy.push_back(100 * each.accuracy(digits.test));
      outcome.wire_bytes += each.wire_bytes();
    }
  });
  for (int rank = 1; rank < kRanks; ++rank) {
    const Outcome& other = outcomes[static_cast<std::size_t>(rank)];
    test::expect(other.accuracy == outcomes[0].accuracy, "rank ", rank, " ends with another model under ",
                 recipe.codec);
    outcomes[0].wire_bytes += other.wire_bytes;
  }
  return outcomes[0];
}

}  // namespace gossamer::convergence
