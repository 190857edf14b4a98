#include "lib/bootstrap.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "lib/rendezvous.hpp"

namespace gossamer {
namespace {

class CallbackBootstrap final : public Bootstrap {
 public:
  explicit CallbackBootstrap(const goss_bootstrap& callback) : callback_(callback) {
    if (callback.size < 1 || callback.rank < 0 || callback.rank >= callback.size) {
      fail(Status::argument, "bootstrap says rank ", callback.rank, " of ", callback.size,
           "; size is at least 1 and rank is from 0 to size - 1");
    }
    if (callback.allgather == nullptr) fail(Status::argument, "bootstrap has no allgather function (it is NULL)");
  }
  [[nodiscard]] int rank() const noexcept override { return callback_.rank; }
  [[nodiscard]] int size() const noexcept override { return callback_.size; }

  std::vector<std::byte> allgather(Bytes mine) override {
    std::vector<std::byte> all(mine.size() * static_cast<std::size_t>(callback_.size));
    const int result = callback_.allgather(callback_.context, mine.data(), all.data(), mine.size());
    if (result != 0) fail(Status::system, "the bootstrap's allgather returned ", result, " instead of 0");
    return all;
  }

 private:
  goss_bootstrap callback_;
};

struct RankVariables {
  const char* rank;
  const char* size;
};

// RANK first: it is what a user sets by hand to overrule the launcher.
constexpr std::array<RankVariables, 4> rank_variables = {{{"RANK", "WORLD_SIZE"},
                                                          {"PMI_RANK", "PMI_SIZE"},
                                                          {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                                          {"SLURM_PROCID", "SLURM_NTASKS"}}};

int integer_from_env(const char* name, int low, int high) {
  const std::string_view text = std::getenv(name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    fail(Status::argument, name, "=", text, " in the environment is not an integer from ", low, " to ", high);
  }
  return value;
}

RankVariables find_rank_variables() {
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  for (const RankVariables& pair : rank_variables) {
    if (is_set(pair.rank) && is_set(pair.size)) return pair;
  }
  for (const RankVariables& pair : rank_variables) {
    if (is_set(pair.rank)) fail(Status::argument, pair.rank, " is set in the environment, but not ", pair.size);
    if (is_set(pair.size)) fail(Status::argument, pair.size, " is set in the environment, but not ", pair.rank);
  }
  fail(Status::argument,
       "the environment does not say which rank this is: set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, or start "
       "with a launcher that sets PMI_*, OMPI_COMM_WORLD_* or SLURM_*");
}

const char* required_from_env(const char* name, std::string_view meaning, int size) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    fail(Status::argument, name, " is not set in the environment; ", size, " ranks need it to find ", meaning);
  }
  return value;
}

class SingleBootstrap final : public Bootstrap {
 public:
  [[nodiscard]] int rank() const noexcept override { return 0; }
  [[nodiscard]] int size() const noexcept override { return 1; }
  std::vector<std::byte> allgather(Bytes mine) override { return {mine.begin(), mine.end()}; }
};

}  // namespace

std::unique_ptr<Bootstrap> callback_bootstrap(const goss_bootstrap& callback) {
  return std::make_unique<CallbackBootstrap>(callback);
}

std::unique_ptr<Bootstrap> env_bootstrap(double timeout_seconds, LogLevel log_level) {
  constexpr int most_ranks = 1 << 24;
  const RankVariables names = find_rank_variables();
  Meeting meeting;
  meeting.size = integer_from_env(names.size, 1, most_ranks);
  meeting.rank = integer_from_env(names.rank, 0, meeting.size - 1);
  if (meeting.size == 1) return std::make_unique<SingleBootstrap>();
  meeting.host = required_from_env("MASTER_ADDR", "rank 0's host", meeting.size);
  required_from_env("MASTER_PORT", "rank 0's port", meeting.size);
  meeting.port = static_cast<std::uint16_t>(integer_from_env("MASTER_PORT", 1, 65535));
  meeting.timeout_seconds = timeout_seconds;
  const Log log(meeting.rank, log_level);
  return meeting.rank == 0 ? host_rendezvous(meeting, log) : guest_rendezvous(meeting, log);
}

}  // namespace gossamer
