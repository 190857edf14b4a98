#pragma once

#include <gossamer/gossamer_mpi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "errors.hpp"
#include "mlp.hpp"

namespace surrogate {

using TensorHandle = std::unique_ptr<goss_tensor, decltype(&goss_tensor_destroy)>;

/// The ranks as Gossamer sees them. Calls are collective and blocking, and throw ExchangeError.
class Ranks {
 public:
  /// Throws UsageError if `config` is not valid.
  Ranks(MPI_Comm comm, const std::string& config);

  [[nodiscard]] goss_comm* get() const { return comm_.get(); }
  [[nodiscard]] int rank() const { return goss_comm_rank(comm_.get()); }
  [[nodiscard]] int size() const { return goss_comm_size(comm_.get()); }
  /// values <- their sums over ranks, uncompressed, in double precision.
  void sum(std::span<double> values);
  void barrier();

 private:
  std::unique_ptr<goss_comm, decltype(&goss_comm_destroy)> comm_;
  std::map<std::size_t, TensorHandle> sums_;  ///< one tensor per length
};

/// What the exchange of a model's gradients has cost this rank.
struct Traffic {
  double bytes_sent = 0;
  double codec_seconds = 0;  ///< encoding, reducing and decoding
  double wait_seconds = 0;   ///< of the training, in goss_wait_all, or goss_push and goss_pull
};

/// What keeps the ranks' models together.
enum class Method {
  all_reduce,  ///< gradients are averaged over all ranks
  mix,         ///< models are mixed with the neighbours', by the communicator's mixing=
  push,        ///< the same, but nobody waits: a neighbour's model counts when it has come
};

/// A codec, and by the prefix "mix+" or "push+" the method.
struct MethodAndCodec {
  explicit MethodAndCodec(const std::string& spec);
  Method method = Method::all_reduce;
  std::string codec;
};

/// Averages the gradients of one model over the ranks, or mixes the model with the neighbours', layer by layer, with
/// one codec.
class GradientExchange {
 public:
  /// Registers two tensors per layer. `name` tells models apart that train side by side.
  GradientExchange(Ranks& ranks, const std::string& name, const std::string& codec, const Mlp& model);

  /// The model of rank 0 to all ranks.
  void broadcast(Mlp& model);
  /// Starts averaging a layer's gradient in place; it belongs to the exchange until finish(layer).
  void start(int layer, Layer& gradient);
  /// Starts mixing a layer in place; it belongs to the exchange until finish(layer).
  void mix(int layer, Layer& parameters);
  void finish(int layer);
  /// Gives the neighbours a layer, and mixes it with what has come from them.
  void push_and_pull(int layer, Layer& parameters);

  [[nodiscard]] Traffic traffic() const;
  /// What the codecs carry from call to call, such as residuals: this rank's own.
  [[nodiscard]] std::vector<std::vector<char>> save() const;
  void load(const std::vector<std::vector<char>>& states);

 private:
  struct LayerTensors {
    TensorHandle weight, bias;
    goss_request* pending[2] = {nullptr, nullptr};
  };
  [[nodiscard]] std::vector<goss_tensor*> tensors() const;

  std::vector<LayerTensors> layers_;
  double wait_seconds_ = 0;
};

}  // namespace surrogate
