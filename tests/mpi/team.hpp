#pragma once

#include <cstddef>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "gossamer/gossamer.h"

/// The laws of every call, for ranks that are processes: held through the public C API only, whatever launched them.
namespace gossamer::laws {

/// How the ranks of a test compare notes: not through what they test.
class Team {
 public:
  virtual ~Team() = default;
  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;
  /// `all` becomes every rank's `mine`, in rank order; all of the same size.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  /// values <- their sum over the ranks, to the rounding of double.
  virtual void sum(std::span<double> values) = 0;
  /// Makes a communicator over these ranks.
  virtual goss_status connect(const char* config, goss_comm** comm) = 0;

  template <typename T>
  std::vector<T> gather(const T& mine) {
    std::vector<T> all(static_cast<std::size_t>(size()));
    all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
    return all;
  }
};

/// Throws with the parts joined unless `condition` holds.
template <typename... Parts>
void expect(bool condition, const Parts&... parts) {
  if (condition) return;
  std::ostringstream text;
  (text << ... << parts);
  throw std::runtime_error(text.str());
}

inline void ok(goss_status status, const std::string& what) {
  expect(status == GOSS_OK, what, ": ", goss_status_string(status), ": ", goss_last_error());
}

/// A communicator and the words for where a check fails.
struct Setting {
  Team& team;
  goss_comm* comm;
  std::string name;  ///< configuration
};

/// A tensor that ends itself.
class TensorOf {
 public:
  TensorOf(const Setting& setting, const std::string& name, const std::vector<std::size_t>& dims,
           const std::string& codec, goss_dtype dtype = GOSS_FLOAT32) {
    ok(goss_tensor_create(setting.comm, name.c_str(), dtype, static_cast<int>(dims.size()), dims.data(), codec.c_str(),
                          &tensor_),
       setting.name + ": registering " + name + " for " + codec);
  }
  ~TensorOf() { goss_tensor_destroy(tensor_); }
  TensorOf(const TensorOf&) = delete;
  TensorOf& operator=(const TensorOf&) = delete;
  [[nodiscard]] goss_tensor* get() const noexcept { return tensor_; }

 private:
  goss_tensor* tensor_ = nullptr;
};

/// Every rank's inputs are known to all: normal numbers from (seed, rank, call).
std::vector<float> values_of(int rank, int call, std::size_t count);

/// All ranks have the same bits.
void check_agreement(const Setting& setting, std::span<const std::byte> bytes, const std::string& what);

// laws.cpp: agreement and conservation of every codec, exactness of identity.
enum class Extent { whole, reduced };
void check_codecs(const Setting& setting, Extent extent);
void check_identity(const Setting& setting, Extent extent);
// calls.cpp: everything but a single all-reduce.
void check_many_in_flight(const Setting& setting, int tensors);
void check_broadcasts(const Setting& setting, Extent extent);
/// Rounds of the graph in turn, each on fresh values.
void check_mix(const Setting& setting, std::size_t count, std::uint64_t rounds);
/// By whatever method: rounds keep the mean and bring the ranks closer.
void check_rounds(const Setting& setting);
void check_push(const Setting& setting);
/// With staleness=: all come to the end of equally many pushes.
void check_pace(const Setting& setting);
/// With mixing=pairwise: the sum stays.
void check_pairs(const Setting& setting);
void check_barrier(const Setting& setting);
/// The transport is connected to the neighbours and to nobody else.
void check_connections(const Setting& setting);

/// A sum, a few rounds of gossip and who is connected, on every topology there is. Returns the process's exit code.
int run_every_topology(Team& team);

/// All of the above for all transports and topologies of this number of ranks; Extent::reduced does the whole for one
/// of them only. Says on rank 0 what was done. Returns the process's exit code.
int run_all(Team& team, Extent extent);

}  // namespace gossamer::laws
