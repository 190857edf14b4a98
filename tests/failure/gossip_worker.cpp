// One rank of a test of gossip among which ranks die: makes as many calls as it is allowed, and reports what became of
// its model. Through the public C API only; started by tests/failure/fleet.hpp.
//
//   gossip_worker BOARD     with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment
#include <algorithm>
#include <thread>

#include "gossamer/gossamer.h"
#include "tests/failure/board.hpp"
#include "tests/failure/worker_main.hpp"

namespace gossamer::failure {
namespace {

class GossipWorker {
 public:
  GossipWorker(Board& board, int rank)
      : board_(board), report_(board.reports[rank]), model_(first_model(board.plan, rank)) {}

  void run() {
    const Plan& plan = board_.plan;
    board_.arrived.fetch_add(1);
    while (board_.arrived.load() < plan.gather) pause();
    goss_status status = goss_comm_create_env(plan.config, &comm_);
    if (status == GOSS_OK) {
      status = goss_tensor_create(comm_, "model", GOSS_FLOAT32, 1, &plan.elements, plan.codec, &tensor_);
    }
    if (status == GOSS_OK && plan.gossip == Gossip::all_reduce_and_mix) {
      status = goss_tensor_create(comm_, "sums", GOSS_FLOAT32, 1, &plan.elements, plan.codec, &sums_);
    }
    while (status == GOSS_OK && board_.end.load() == 0) {
      if (report_.calls.load() < board_.allowed.load()) {
        status = call();
        count_dead();
        report_.calls.fetch_add(1);
        report_.stage.store(static_cast<int>(Stage::running));
      } else {
        if (plan.gossip == Gossip::push_pull) status = pull();
        report_.drains.fetch_add(1);
        pause();
      }
    }
    leave(status);
  }

 private:
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

  goss_status call() {
    const Gossip gossip = board_.plan.gossip;
    if (gossip == Gossip::all_reduce_and_mix && !reduced_its_last_) {
      const goss_status status = goss_allreduce(sums_, summed_.data(), GOSS_MEAN);
      if (status != GOSS_OK && status != GOSS_ERR_PEER) return status;
      reduced_its_last_ = status == GOSS_ERR_PEER;
    }
    if (gossip != Gossip::push_pull) return goss_mix(tensor_, model_.data());
    pause();  // for what nobody waits for
    const goss_status status = goss_push(tensor_, model_.data());
    return status == GOSS_OK ? pull() : status;
  }
  goss_status pull() {
    int messages = 0;
    const goss_status status = goss_pull(tensor_, model_.data(), &messages);
    report_.got.fetch_add(static_cast<std::uint64_t>(messages));
    return status;
  }
  void count_dead() {
    goss_comm_failed(comm_, report_.dead, kMostRanks, &report_.dead_count);
    report_.buried.store(report_.dead_count);
  }

  void leave(goss_status status) {
    report_.status = status;
    copy_text(report_.said, sizeof report_.said, goss_last_error());
    if (status == GOSS_OK) {
      look_at_model();
      goss_tensor_weight(tensor_, &report_.weight);
      goss_comm_describe(comm_, report_.described, sizeof report_.described);
      const std::size_t few = 10;
      goss_tensor* another = nullptr;
      report_.later_status[0] = goss_allreduce(tensor_, model_.data(), GOSS_MEAN);
      copy_text(report_.said, sizeof report_.said, goss_last_error());
      report_.later_status[1] = goss_barrier(comm_);
      report_.later_status[2] = goss_tensor_create(comm_, "another", GOSS_FLOAT32, 1, &few, "identity", &another);
    }
    report_.stage.store(static_cast<int>(Stage::returned));
    goss_tensor_destroy(tensor_);
    goss_tensor_destroy(sums_);
    goss_comm_destroy(comm_);
    report_.stage.store(static_cast<int>(Stage::gone));
  }

  void look_at_model() {
    for (std::size_t i = 0; i < kSamples; ++i) report_.samples[i] = model_[i * (model_.size() - 1) / (kSamples - 1)];
    std::vector<float> low = model_;
    std::vector<float> high = model_;
    for (int rank = 0; rank < goss_comm_size(comm_); ++rank) {
      const std::vector<float> first = first_model(board_.plan, rank);
      for (std::size_t i = 0; i < first.size(); ++i) {
        low[i] = rank == 0 ? first[i] : std::min(low[i], first[i]);
        high[i] = rank == 0 ? first[i] : std::max(high[i], first[i]);
      }
    }
    for (std::size_t i = 0; i < model_.size(); ++i) {
      report_.outside = std::max(
          {report_.outside, static_cast<double>(low[i] - model_[i]), static_cast<double>(model_[i] - high[i])});
    }
  }

  Board& board_;
  Report& report_;
  std::vector<float> model_;
  std::vector<float> summed_ = model_;
  bool reduced_its_last_ = false;  ///< since somebody has died
  goss_comm* comm_ = nullptr;
  goss_tensor* tensor_ = nullptr;
  goss_tensor* sums_ = nullptr;
};

}  // namespace
}  // namespace gossamer::failure

int main(int argc, char** argv) {
  return gossamer::failure::run_worker<gossamer::failure::GossipWorker>(argc, argv);
}
