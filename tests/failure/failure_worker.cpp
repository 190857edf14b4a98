// One rank of a failure test: repeats calls until one fails, and reports what it heard and when. Through the public
// C API only; started by tests/failure/fleet.hpp.
//
//   failure_worker BOARD     with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment
#include <thread>
#include <vector>

#include "gossamer/gossamer.h"
#include "tests/failure/board.hpp"
#include "tests/failure/worker_main.hpp"

namespace gossamer::failure {
namespace {

class Worker {
 public:
  Worker(Board& board, int rank) : board_(board), report_(board.reports[rank]), rank_(rank) {}

  void run() {
    const Plan& plan = board_.plan;
    board_.arrived.fetch_add(1);
    while (board_.arrived.load() < plan.gather) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    goss_status status = goss_comm_create_env(plan.config, &comm_);
    if (status == GOSS_OK) {
      status = goss_comm_neighbours(comm_, 0, report_.around, nullptr, kMostRanks, &report_.around_count, nullptr);
    }
    for (int i = 0; i < plan.tensors && status == GOSS_OK; ++i) {
      goss_tensor* tensor = nullptr;
      const std::string name = "layer" + std::to_string(i);
      status = goss_tensor_create(comm_, name.c_str(), GOSS_FLOAT32, 1, &plan.elements, plan.codec, &tensor);
      if (status == GOSS_OK) tensors_.push_back(tensor);
    }
    data_.assign(tensors_.size(), std::vector<float>(plan.elements, static_cast<float>(rank_)));
    while (status == GOSS_OK) {
      if (rank_ == plan.late_rank && report_.calls.load() == plan.late_call) stay_away();
      status = call_all();
      if (status == GOSS_OK) report_.calls.fetch_add(1);
      if (status == GOSS_OK) report_.stage.store(static_cast<int>(Stage::running));
    }
    leave(status);
  }

 private:
  void stay_away() {
    report_.stage.store(static_cast<int>(Stage::late));
    while (board_.end.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  goss_status call_all() {
    if (board_.plan.style == Style::blocking) {
      for (std::size_t i = 0; i < tensors_.size(); ++i) {
        const goss_status status = goss_allreduce(tensors_[i], data_[i].data(), GOSS_MEAN);
        if (status != GOSS_OK) return status;
      }
      return GOSS_OK;
    }
    std::vector<goss_request*> requests(tensors_.size(), nullptr);
    goss_status first = GOSS_OK;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const goss_status status = goss_iallreduce(tensors_[i], data_[i].data(), GOSS_MEAN, &requests[i]);
      if (first == GOSS_OK) first = status;
    }
    const goss_status ended = board_.plan.style == Style::test
                                  ? test_all(requests)
                                  : goss_wait_all(static_cast<int>(requests.size()), requests.data());
    return first == GOSS_OK ? ended : first;
  }

  static goss_status test_all(std::vector<goss_request*>& requests) {
    goss_status first = GOSS_OK;
    for (goss_request*& request : requests) {
      for (int done = 0; done == 0;) {
        const goss_status status = goss_test(&request, &done);
        if (first == GOSS_OK) first = status;
        std::this_thread::yield();
      }
    }
    return first;
  }

  /// After a failure: what was said, what later calls say, and an orderly end.
  void leave(goss_status status) {
    report_.returned_at = now();
    report_.status = status;
    copy_text(report_.said, sizeof report_.said, goss_last_error());
    if (comm_ != nullptr) {
      goss_comm_failed(comm_, report_.dead, kMostRanks, &report_.dead_count);
      const double start = now();
      const std::size_t few = 10;
      goss_tensor* another = nullptr;
      if (!tensors_.empty()) report_.later_status[0] = goss_allreduce(tensors_.back(), data_.back().data(), GOSS_MEAN);
      report_.later_status[1] = goss_barrier(comm_);
      report_.later_status[2] = goss_tensor_create(comm_, "another", GOSS_FLOAT32, 1, &few, "identity", &another);
      report_.later_seconds = now() - start;
    }
    report_.stage.store(static_cast<int>(Stage::returned));
    for (goss_tensor* tensor : tensors_) goss_tensor_destroy(tensor);
    goss_comm_destroy(comm_);
    report_.gone_at = now();
    report_.stage.store(static_cast<int>(Stage::gone));
  }

  Board& board_;
  Report& report_;
  int rank_;
  goss_comm* comm_ = nullptr;
  std::vector<goss_tensor*> tensors_;
  std::vector<std::vector<float>> data_;
};

}  // namespace
}  // namespace gossamer::failure

int main(int argc, char** argv) {
  return gossamer::failure::run_worker<gossamer::failure::Worker>(argc, argv);
}
