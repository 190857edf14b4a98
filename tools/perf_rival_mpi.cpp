#include <gossamer/gossamer_mpi.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <thread>

#include "lib/base/error.hpp"
#include "tools/perf_rival.hpp"
#include "tools/perf_session.hpp"

namespace gossamer::tools {
namespace {

MPI_Datatype mpi_type(goss_dtype dtype) {
  if (dtype == GOSS_FLOAT32) return MPI_FLOAT;
  if (dtype == GOSS_FLOAT64) return MPI_DOUBLE;
  fail(Status::unsupported, "MPI has no 16-bit floating-point types: --against mpi takes --dtype float32 or float64");
}

class Mpi final : public MpiRival {
 public:
  explicit Mpi(char** arguments) {
    int count = 0;
    while (arguments[count] != nullptr) ++count;
    int provided = 0;
    // The progress thread of the library under test calls no MPI.
    MPI_Init_thread(&count, &arguments, MPI_THREAD_FUNNELED, &provided);
  }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;

  goss_comm* communicator(const std::string& config) override {
    goss_comm* comm = nullptr;
    expect_ok(goss_comm_create_mpi(MPI_COMM_WORLD, config.c_str(), &comm), "making the communicator");
    return comm;
  }

  void call(std::byte* data, std::size_t count, goss_dtype dtype) override {
    if (count > INT_MAX) fail(Status::unsupported, "MPI_Allreduce takes at most 2147483647 elements, not ", count);
    MPI_Allreduce(MPI_IN_PLACE, data, static_cast<int>(count), mpi_type(dtype), MPI_SUM, MPI_COMM_WORLD);
  }

  [[nodiscard]] std::string name() const override {
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(text, &length);
    std::string name(text, static_cast<std::size_t>(length));
    name.resize(std::min(name.size(), name.find_first_of(",\n")));
    std::replace(name.begin(), name.end(), '\t', ' ');
    return "MPI_Allreduce of " + name;
  }

  // MPICH 4.0.2 over UCX's tcp may never return from MPI_Finalize. All results are out by then: leave anyway.
  void finish(int exit_code) override {
    std::fflush(nullptr);
    std::thread([exit_code] {
      std::this_thread::sleep_for(std::chrono::seconds(10));
      _exit(exit_code);
    }).detach();
    MPI_Finalize();
  }
};

}  // namespace

std::unique_ptr<MpiRival> start_mpi(char** arguments) {
  return std::make_unique<Mpi>(arguments);
}

}  // namespace gossamer::tools
