#include "replica.hpp"

#include <chrono>
#include <cmath>
#include <numbers>

namespace surrogate {
namespace {

/// This rank's part of a global batch, and the weight of its atoms in the loss.
///
/// GOSS_MEAN weighs all ranks alike, but ranks own different numbers of atoms. A rank draws atoms in proportion to what
/// it has, b_r of B = Σ b_r, and scales its gradient Σ_{i in b_r} ∇l_i by ranks / B. The mean over ranks is then
/// (1/ranks) Σ_r (ranks/B) Σ_i ∇l_i = (1/B) Σ_i ∇l_i: the gradient of the global mean.
struct Share {
  Eigen::Index atoms;
  double weight;
  double global_atoms;
};

Share share_of_batch(Ranks& ranks, Eigen::Index pool_atoms, int batch_atoms) {
  auto everyone = static_cast<double>(pool_atoms);
  ranks.sum({&everyone, 1});
  const auto mine = static_cast<Eigen::Index>(std::lround(static_cast<double>(pool_atoms) * batch_atoms / everyone));
  auto global = static_cast<double>(mine);
  ranks.sum({&global, 1});
  return {mine, ranks.size() / global, global};
}

// One stream per rank and epoch, the same for every codec. Nothing of it outlives an epoch, so no checkpoint needs it.
std::mt19937_64 batch_stream(std::uint64_t seed, int epoch, int rank) {
  std::seed_seq words{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                      static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(rank)};
  return std::mt19937_64(words);
}

}  // namespace

Replica::Replica(Ranks& ranks, const TrainingSettings& settings, const std::string& codec)
    : ranks_(ranks),
      settings_(settings),
      codec_(codec),
      method_(MethodAndCodec(codec).method),
      model_(settings.widths, settings.seed + static_cast<std::uint64_t>(ranks.rank())),
      adam_(model_, settings.momentum_under(codec)),
      gradients_(model_.layers()),
      exchange_(ranks, codec, MethodAndCodec(codec).codec, model_) {
  exchange_.broadcast(model_);
}

void Replica::record(const std::string& path) {
  recorder_ = std::make_unique<GradientRecorder>(path, total_steps());
}

double Replica::train(int epoch, const Samples& pool) {
  const Share share = share_of_batch(ranks_, pool.atoms(), settings_.batch_atoms);
  std::mt19937_64 random = batch_stream(settings_.seed, epoch, ranks_.rank());
  ranks_.barrier();  // nobody's clock starts while another rank is still busy with something else
  const auto begin = std::chrono::steady_clock::now();
  double squares = 0;
  for (int i = 0; i < settings_.steps_per_epoch; ++i) squares += step(draw(pool, share.atoms, random), share.weight);
  train_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  ranks_.sum({&squares, 1});
  return std::sqrt(squares / (settings_.steps_per_epoch * share.global_atoms));
}

double Replica::step(const Samples& batch, double weight) {
  const auto number = static_cast<std::int64_t>(adam_.state().steps);
  const double progress = static_cast<double>(number) / static_cast<double>(total_steps());
  adam_.begin_step(settings_.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * progress)));

  const Features error = model_.forward(batch.features) - batch.energy;
  const Features output_gradient = static_cast<float>(2 * weight) * error;
  // Every layer's gradient goes on the wire while the layers before it are still being computed …
  model_.backward(output_gradient, gradients_, [this, number](int layer) {
    Layer& gradient = gradients_[static_cast<std::size_t>(layer)];
    if (recorder_) recorder_->layer(number, layer, gradient);
    if (method_ == Method::all_reduce) exchange_.start(layer, gradient);
  });
  if (method_ != Method::all_reduce) {
    step_and_gossip();
    return error.cast<double>().squaredNorm();
  }
  // … and is applied while the exchange of those goes on.
  for (int layer = static_cast<int>(gradients_.size()) - 1; layer >= 0; --layer) {
    const auto at = static_cast<std::size_t>(layer);
    exchange_.finish(layer);
    adam_.update(layer, model_.layers()[at], gradients_[at]);
  }
  return error.cast<double>().squaredNorm();
}

void Replica::step_and_gossip() {
  const auto layers = static_cast<int>(gradients_.size());
  for (int layer = 0; layer < layers; ++layer) {
    Layer& parameters = model_.layers()[static_cast<std::size_t>(layer)];
    adam_.update(layer, parameters, gradients_[static_cast<std::size_t>(layer)]);
    if (method_ == Method::mix) {
      exchange_.mix(layer, parameters);
    } else {
      exchange_.push_and_pull(layer, parameters);
    }
  }
  if (method_ != Method::mix) return;
  for (int layer = 0; layer < layers; ++layer) exchange_.finish(layer);
}

double Replica::test(const Samples& samples) {
  std::vector<double> sums = {0, static_cast<double>(samples.atoms())};
  if (samples.atoms() > 0) {
    sums[0] = (model_.forward(samples.features) - samples.energy).cast<double>().squaredNorm();
  }
  ranks_.sum(sums);
  return std::sqrt(sums[0] / sums[1]);
}

Traffic Replica::traffic() const {
  const Traffic now = exchange_.traffic();
  return {earlier_.bytes_sent + now.bytes_sent, earlier_.codec_seconds + now.codec_seconds,
          earlier_.wait_seconds + now.wait_seconds};
}

std::uint64_t Replica::weights_hash() const {
  std::uint64_t hash = fnv1a_start;
  for (const Layer& layer : model_.layers()) {
    hash = fnv1a(layer.weight.data(), sizeof(float) * static_cast<std::size_t>(layer.weight.size()), hash);
    hash = fnv1a(layer.bias.data(), sizeof(float) * static_cast<std::size_t>(layer.bias.size()), hash);
  }
  return hash;
}

void Replica::archive(Archive& archive) {
  Adam::State& moments = adam_.state();
  for (Mlp::Layers* layers : {&model_.layers(), &moments.first, &moments.second}) {
    for (Layer& layer : *layers) {
      archive.matrix(layer.weight);
      archive.matrix(layer.bias);
    }
  }
  archive.value(moments.steps);

  std::vector<std::vector<char>> codec_states = archive.writing() ? exchange_.save() : decltype(exchange_.save()){};
  archive.list(codec_states, [&archive](std::vector<char>& state) { archive.bytes(state); });
  Traffic total = traffic();
  archive.value(total);
  archive.value(train_seconds_);
  if (archive.writing()) return;
  exchange_.load(codec_states);
  earlier_ = total;
}

}  // namespace surrogate
