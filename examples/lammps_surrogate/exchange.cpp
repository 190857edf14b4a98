#include "exchange.hpp"

#include <array>
#include <chrono>
#include <string_view>
#include <utility>

namespace surrogate {
namespace {

void check(goss_status status, const std::string& what) {
  if (status == GOSS_OK) return;
  throw ExchangeError(what + ": " + goss_status_string(status) + ": " + goss_last_error());
}

template <std::size_t N>
TensorHandle make_tensor(const Ranks& ranks, const std::string& name, goss_dtype type,
                         const std::array<std::size_t, N>& dims, const char* codec) {
  goss_tensor* tensor = nullptr;
  check(goss_tensor_create(ranks.get(), name.c_str(), type, N, dims.data(), codec, &tensor), "tensor " + name);
  return {tensor, goss_tensor_destroy};
}

/// Adds the seconds that it exists.
class WaitClock {
 public:
  explicit WaitClock(double& seconds) : seconds_(seconds) {}
  WaitClock(const WaitClock&) = delete;
  WaitClock& operator=(const WaitClock&) = delete;
  ~WaitClock() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

MethodAndCodec::MethodAndCodec(const std::string& spec) : codec(spec) {
  for (const auto& [prefix, its_method] : {std::pair("mix+", Method::mix), std::pair("push+", Method::push)}) {
    if (!spec.starts_with(prefix)) continue;
    method = its_method;
    codec = spec.substr(std::string_view(prefix).size());
  }
}

// ---- The training loop's use of Gossamer
// -----------------------------------------------------------------------------

GradientExchange::GradientExchange(Ranks& ranks, const std::string& name, const std::string& codec, const Mlp& model) {
  for (std::size_t l = 0; l < model.layers().size(); ++l) {
    const auto outputs = static_cast<std::size_t>(model.layers()[l].weight.rows());
    const auto inputs = static_cast<std::size_t>(model.layers()[l].weight.cols());
    const std::string layer = name + ".layer" + std::to_string(l);
    layers_.push_back({make_tensor<2>(ranks, layer + ".weight", GOSS_FLOAT32, {outputs, inputs}, codec.c_str()),
                       make_tensor<1>(ranks, layer + ".bias", GOSS_FLOAT32, {outputs}, codec.c_str())});
  }
}

void GradientExchange::broadcast(Mlp& model) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    check(goss_broadcast(layers_[l].weight.get(), model.layers()[l].weight.data(), 0), "broadcast of weights");
    check(goss_broadcast(layers_[l].bias.get(), model.layers()[l].bias.data(), 0), "broadcast of biases");
  }
}

void GradientExchange::start(int layer, Layer& gradient) {
  LayerTensors& on = layers_[static_cast<std::size_t>(layer)];
  check(goss_iallreduce(on.weight.get(), gradient.weight.data(), GOSS_MEAN, &on.pending[0]), "gradient of weights");
  check(goss_iallreduce(on.bias.get(), gradient.bias.data(), GOSS_MEAN, &on.pending[1]), "gradient of biases");
}

void GradientExchange::mix(int layer, Layer& parameters) {
  LayerTensors& on = layers_[static_cast<std::size_t>(layer)];
  check(goss_imix(on.weight.get(), parameters.weight.data(), &on.pending[0]), "mixing of weights");
  check(goss_imix(on.bias.get(), parameters.bias.data(), &on.pending[1]), "mixing of biases");
}

void GradientExchange::finish(int layer) {
  const WaitClock clock(wait_seconds_);
  check(goss_wait_all(2, layers_[static_cast<std::size_t>(layer)].pending), "gradient exchange");
}

void GradientExchange::push_and_pull(int layer, Layer& parameters) {
  const WaitClock clock(wait_seconds_);
  LayerTensors& on = layers_[static_cast<std::size_t>(layer)];
  check(goss_push(on.weight.get(), parameters.weight.data()), "push of weights");
  check(goss_push(on.bias.get(), parameters.bias.data()), "push of biases");
  check(goss_pull(on.weight.get(), parameters.weight.data(), nullptr), "pull of weights");
  check(goss_pull(on.bias.get(), parameters.bias.data(), nullptr), "pull of biases");
}

// ---- Everything around it
// --------------------------------------------------------------------------------------------

Ranks::Ranks(MPI_Comm mpi, const std::string& config) : comm_(nullptr, goss_comm_destroy) {
  goss_comm* comm = nullptr;
  const goss_status status = goss_comm_create_mpi(mpi, config.c_str(), &comm);
  if (status == GOSS_ERR_ARGUMENT) throw UsageError(std::string("--config: ") + goss_last_error());
  check(status, "communicator");
  comm_.reset(comm);
}

void Ranks::sum(std::span<double> values) {
  auto found = sums_.find(values.size());
  if (found == sums_.end()) {
    const std::string name = "sum." + std::to_string(values.size());
    TensorHandle tensor = make_tensor<1>(*this, name, GOSS_FLOAT64, {values.size()}, "identity");
    found = sums_.emplace(values.size(), std::move(tensor)).first;
  }
  check(goss_allreduce(found->second.get(), values.data(), GOSS_SUM), "sum over ranks");
}

void Ranks::barrier() {
  check(goss_barrier(comm_.get()), "barrier");
}

std::vector<goss_tensor*> GradientExchange::tensors() const {
  std::vector<goss_tensor*> all;
  for (const LayerTensors& layer : layers_) all.insert(all.end(), {layer.weight.get(), layer.bias.get()});
  return all;
}

Traffic GradientExchange::traffic() const {
  Traffic total;
  total.wait_seconds = wait_seconds_;
  for (const goss_tensor* tensor : tensors()) {
    goss_stats stats{};
    stats.struct_size = sizeof stats;
    check(goss_tensor_stats(tensor, &stats), "statistics");
    total.bytes_sent += static_cast<double>(stats.bytes_sent);
    total.codec_seconds += stats.encode_seconds + stats.reduce_seconds + stats.decode_seconds;
  }
  return total;
}

std::vector<std::vector<char>> GradientExchange::save() const {
  std::vector<std::vector<char>> states;
  for (goss_tensor* tensor : tensors()) {
    std::size_t bytes = 0;
    check(goss_tensor_save(tensor, nullptr, 0, &bytes), "size of a tensor's state");
    std::vector<char> state(bytes);
    check(goss_tensor_save(tensor, state.data(), state.size(), &bytes), "saving a tensor's state");
    states.push_back(std::move(state));
  }
  return states;
}

void GradientExchange::load(const std::vector<std::vector<char>>& states) {
  const auto all = tensors();
  if (states.size() != all.size()) throw ExchangeError("the checkpoint has another number of tensors");
  for (std::size_t i = 0; i < all.size(); ++i) {
    check(goss_tensor_load(all[i], states[i].data(), states[i].size()), "loading a tensor's state");
  }
}

}  // namespace surrogate
