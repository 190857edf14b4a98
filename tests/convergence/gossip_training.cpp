#include "tests/convergence/gossip_training.hpp"

#include <algorithm>
#include <cmath>

#include "tests/convergence/batches.hpp"
#include "tests/convergence/network.hpp"
#include "tests/world.hpp"

namespace gossamer::convergence {
namespace {

constexpr int kWidths[] = {64, 96, 48, 10};
constexpr std::uint32_t kSeeds[] = {1, 2, 3};
constexpr int kBatch = 8;  // images per rank
constexpr float kRate = 0.4F;

Eigen::VectorXf flat(const Layers& layers) {
  Eigen::Index count = 0;
  for (const Layer& layer : layers) count += layer.weight.size() + layer.bias.size();
  Eigen::VectorXf all(count);
  Eigen::Index at = 0;
  for (const Layer& layer : layers) {
    all.segment(at, layer.weight.size()) = layer.weight.reshaped<Eigen::RowMajor>();
    all.segment(at + layer.weight.size(), layer.bias.size()) = layer.bias;
    at += layer.weight.size() + layer.bias.size();
  }
  return all;
}

void unpack(const Eigen::VectorXf& all, Layers& layers) {
  Eigen::Index at = 0;
  for (Layer& layer : layers) {
    layer.weight.reshaped<Eigen::RowMajor>() = all.segment(at, layer.weight.size());
    layer.bias = all.segment(at + layer.weight.size(), layer.bias.size());
    at += layer.weight.size() + layer.bias.size();
  }
}

/// One rank's model at a checkpoint.
struct Snapshot {
  Eigen::VectorXf model;
  double bytes = 0;
};

/// One rank's copy of the model of one seed: a single tensor.
class Learner {
 public:
  Learner(goss_comm* comm, const GossipRecipe& recipe, const Images& shard, std::uint32_t seed)
      : recipe_(recipe),
        network_(kWidths, seed),
        gradient_(network_.layers()),
        batches_(shard, kBatch, 1000 * seed + static_cast<std::uint32_t>(goss_comm_rank(comm))),
        model_(flat(network_.layers())),
        tensor_(
            test::make_tensor(comm, sentence("seed", seed), {static_cast<std::size_t>(model_.size())}, recipe.codec)) {}

  void shuffle() { batches_.shuffle(); }
  /// Computes the gradient of batch `batch` of the epoch, and starts to exchange it, or the model that it has moved.
  void start(int batch, float rate) {
    batches_.draw(batch);
    unpack(model_, network_.layers());
    network_.backpropagate(batches_.pixels(), batches_.labels(), gradient_);
    step_ = flat(gradient_);
    if (recipe_.mixing == kAllReduce) {
      test::ok(goss_iallreduce(tensor_.get(), step_.data(), GOSS_MEAN, &pending_), recipe_.codec);
      return;
    }
    // Under push-sum a gradient moves the mass, of which a model is so many times less. Where nobody waits, a weight
    // may be next to nothing for some steps: there a gradient moves the model.
    double weight = 1;
    if (!pushes(recipe_.mixing)) test::ok(goss_tensor_weight(tensor_.get(), &weight), "goss_tensor_weight");
    model_ -= rate / static_cast<float>(weight) * step_;
    if (pushes(recipe_.mixing)) {
      test::ok(goss_push(tensor_.get(), model_.data()), recipe_.mixing);
      test::ok(goss_pull(tensor_.get(), model_.data(), nullptr), recipe_.mixing);
    } else if (recipe_.mixing != kAlone) {
      test::ok(goss_imix(tensor_.get(), model_.data(), &pending_), recipe_.mixing);
    }
  }
  void finish(float rate) {
    test::ok(goss_wait(&pending_), recipe_.mixing);
    if (recipe_.mixing == kAllReduce) model_ -= rate * step_;
  }
  [[nodiscard]] Snapshot snapshot() const {
    goss_stats stats{};
    stats.struct_size = sizeof stats;
    test::ok(goss_tensor_stats(tensor_.get(), &stats), "statistics");
    return {model_, static_cast<double>(stats.bytes_sent)};
  }

 private:
  const GossipRecipe& recipe_;
  Network network_;
  Layers gradient_;
  Batches batches_;
  Eigen::VectorXf model_, step_;
  test::TensorHandle tensor_;
  goss_request* pending_ = nullptr;
};

/// [checkpoint][seed] of one rank. All seeds train side by side: one's exchange is hidden behind the next one's
/// gradients.
using Snapshots = std::vector<std::vector<Snapshot>>;

Snapshots run(std::vector<Learner>& learners, const GossipRecipe& recipe, int batches) {
  Snapshots snapshots;
  for (int step = 0; step < recipe.steps; ++step) {
    const float rate = kRate * static_cast<float>(recipe.steps - step) / static_cast<float>(recipe.steps);
    if (step % batches == 0) {
      for (Learner& each : learners) each.shuffle();
    }
    for (Learner& each : learners) each.start(step % batches, rate);
    for (Learner& each : learners) each.finish(rate);
    if ((step + 1) * recipe.checkpoints / recipe.steps == step * recipe.checkpoints / recipe.steps) continue;
    snapshots.emplace_back();
    for (const Learner& each : learners) snapshots.back().push_back(each.snapshot());
  }
  return snapshots;
}

double accuracy(const Eigen::VectorXf& model, const Images& images) {
  Network network(kWidths, 0);
  unpack(model, network.layers());
  return 100 * network.accuracy(images.pixels, images.labels);
}

/// Of the ranks' models of one seed at one time.
Checkpoint summary(const std::vector<const Snapshot*>& ranks, const Images& test) {
  Eigen::VectorXf centre = Eigen::VectorXf::Zero(ranks.front()->model.size());
  for (const Snapshot* each : ranks) centre += each->model / static_cast<float>(ranks.size());
  Checkpoint result{.mean = accuracy(centre, test), .worst = 100};
  double squares = 0;
  for (const Snapshot* each : ranks) {
    result.bytes = std::max(result.bytes, each->bytes);
    result.worst = std::min(result.worst, accuracy(each->model, test));
    squares += static_cast<double>((each->model - centre).squaredNorm()) / static_cast<double>(ranks.size());
  }
  result.disagreement = 100 * std::sqrt(squares) / static_cast<double>(centre.norm());
  return result;
}

}  // namespace

GossipOutcome train(const GossipRecipe& recipe, const Digits& digits) {
  test::ThreadGroup group(kGossipRanks);
  std::vector<Snapshots> ranks(kGossipRanks);
  std::string config = "transport=inproc topology=" + recipe.topology;
  if (pushes(recipe.mixing)) {
    config += recipe.mixing.substr(kPush.size());
  } else if (recipe.mixing != kAllReduce && recipe.mixing != kAlone) {
    config += " mixing=" + recipe.mixing;
  }
  test::run_ranks(kGossipRanks, [&](int rank) {
    const auto r = static_cast<std::size_t>(rank);
    const test::CommHandle comm = test::make_comm(group, rank, config);
    std::vector<Learner> learners;
    learners.reserve(std::size(kSeeds));
    for (const std::uint32_t seed : kSeeds) learners.emplace_back(comm.get(), recipe, digits.shards[r], seed);
    ranks[r] = run(learners, recipe, batches_of(digits, kBatch));
    group.barrier();  // who is done early goes on receiving
  });
  GossipOutcome outcome(std::size(kSeeds));
  for (std::size_t at = 0; at < ranks.front().size(); ++at) {
    for (std::size_t seed = 0; seed < outcome.size(); ++seed) {
      std::vector<const Snapshot*> models;
      for (const Snapshots& each : ranks) models.push_back(&each[at][seed]);
      outcome[seed].push_back(summary(models, digits.test));
    }
  }
  return outcome;
}

}  // namespace gossamer::convergence
