#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/bootstrap.hpp"
#include "lib/config.hpp"
#include "lib/engine.hpp"
#include "lib/lifelines.hpp"
#include "lib/model_group.hpp"
#include "lib/tensor.hpp"
#include "lib/trace.hpp"
#include "topology/topology.hpp"
#include "transport/transport.hpp"

namespace gossamer {

class Communicator;

/// A tensor as the C API sees it: with the call that is under way on it.
struct TensorSlot {
  Communicator* comm = nullptr;
  std::unique_ptr<Tensor> tensor;
  Job job;
  bool requested = false;  ///< a request or a blocking call has not yet been collected
  bool destroyed = false;  ///< kept only because a failed call's messages may still arrive
  const char* operation = "";
  Clock::time_point started;
  TensorTotals totals;           ///< of the calls collected so far
  std::size_t memory_bytes = 0;  ///< after the last of them
};

/// A set of ranks with a topology, an endpoint and an engine. Every member function may be called by any thread; throws
/// Error.
class Communicator {
 public:
  /// Collective: all ranks make one, or all throw (the rank that failed is named).
  static std::unique_ptr<Communicator> create(Bootstrap& bootstrap, std::string_view config_text);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  [[nodiscard]] const Topology& topology() const noexcept { return *topology_; }
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] std::vector<int> failed_ranks() const;
  [[nodiscard]] TensorTotals totals() const;
  [[nodiscard]] double residual_norm() const;

  /// Collective among all ranks. `codec` empty: the communicator's.
  TensorSlot& create_tensor(std::string name, Shape shape, std::string_view codec);
  void destroy_tensor(TensorSlot& slot);
  void barrier();

  /// Whether the caller collects a call right after starting it, or goes on computing.
  enum class Form { blocking, non_blocking };
  /// Starts a call on a tensor. Throws `argument` when one is under way there, and the communicator's failure.
  template <typename MakeTask>
  void start(TensorSlot& slot, const char* operation, Form form, MakeTask&& make) {
    claim(slot, operation);
    engine_->submit(slot.job, slot.tensor->home(), make(), form == Form::blocking);
  }
  /// Blocks until the tensor's call is over and throws its failure.
  void collect(TensorSlot& slot);
  /// True when the call is over; advances calls if nobody else does. Never blocks.
  bool poll(TensorSlot& slot);
  /// Throws `argument` while a call is under way on the tensor.
  void expect_idle(const TensorSlot& slot) const;

 private:
  Communicator(Bootstrap& bootstrap, const Config& config);

  void place_ranks(Bootstrap& bootstrap);
  void choose_topology(Bootstrap& bootstrap);
  void open(Bootstrap& bootstrap);
  void claim(TensorSlot& slot, const char* operation);
  [[nodiscard]] World world() const noexcept;
  ModelGroupMember* join_model(const std::string& name, const Shape& shape, CodecChoice& choice);
  void throw_failure() const;
  void mourn();
  [[nodiscard]] std::vector<int> cut_off() const;
  void check_name(const std::string& name) const;
  void agree_on_tensor(const std::string& name, const Shape& shape, const CodecChoice& choice,
                       const std::string& refusal);
  void run(Job& job, CoroutineHome& home, Task task);
  /// After a failure `memory`, of the task's messages, stays until the endpoint has gone: they may still reach it.
  template <typename T>
  void run_or_park(Job& job, CoroutineHome& home, Task task, std::vector<T>& memory) {
    try {
      run(job, home, std::move(task));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      parked_.push_back(std::make_shared<std::vector<T>>(std::move(memory)));
      throw;
    }
  }
  void close_mailbox(TensorSlot& slot) noexcept;

  Config config_;
  int rank_;
  int size_;
  Log log_;
  std::vector<Place> places_;
  std::string links_text_;  // what was measured; empty: nothing
  std::unique_ptr<Topology> topology_;
  std::vector<Leg> legs_;
  std::unique_ptr<Lifelines> lifelines_;
  std::unique_ptr<Trace> trace_;

  mutable std::mutex mutex_;                                   // guards the seven below
  std::map<std::uint32_t, std::string> names_;                 // by tensor id
  std::map<std::uint32_t, std::uint64_t> generations_;         // registrations so far, by tensor id
  std::map<std::string, std::unique_ptr<ModelGroup>> models_;  // by codec spec, under granularity=model
  std::vector<std::unique_ptr<TensorSlot>> tensors_;
  std::vector<std::shared_ptr<void>> parked_;  // see run_or_park()
  TensorTotals past_;                          // of tensors destroyed and of barriers
  std::size_t mourned_ = 0;                    // deaths that the log has
  std::mutex barrier_mutex_;
  std::uint64_t barriers_ = 0;

  // The endpoint ends before the tensors whose memory it may still write; the engine before the endpoint.
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace gossamer
