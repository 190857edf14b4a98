#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/world.hpp"

/// What the tests of the library share: specs to go through, seeded inputs, and failures that are expected.
namespace gossamer::test {

using Dims = std::vector<std::size_t>;

/// One spec for every way of reducing and every kind of state.
inline const std::vector<std::string>& every_codec() {
  static const std::vector<std::string> specs = {
      "identity",
      "fp16:ef=on",
      "bf16:ef=on",
      "int8",
      "int8:rounding=stochastic",
      "terngrad:ef=on",
      "topk:ratio=0.05",
      "topk:ratio=0.05,merge=reselect",
      "topk:ratio=0.05,reduce=allgather",
      "topk:ratio=0.05,reduce=auto",
      "oktopk:ratio=0.05",
      "dgc:ratio=0.05",
      "variance",
      "powersgd:rank=2",
      "powersgd:rank=2,half=on,plus=2",
      "lowrank:rank=2",
      "gradzip:rank=2",
      "gradiveq",
      "atomo:ef=on",
      "atomo:basis=svd,ef=on",
  };
  return specs;
}

inline std::vector<std::string> lossy_codecs() {
  return {every_codec().begin() + 1, every_codec().end()};
}

inline std::vector<std::string> topologies_of(int ranks) {
  std::vector<std::string> specs = {"ring", "hypercube", "complete"};
  if (ranks == 4) specs.emplace_back("torus:2x2");
  if (ranks == 6) specs.emplace_back("torus:3x2");
  if (ranks == 8) specs.insert(specs.end(), {"torus:4x2", "torus:2x2x2"});
  return specs;
}

inline std::uint64_t mixed_seed(std::uint64_t seed, int rank, int call) {
  return seed * 1000003 + static_cast<std::uint64_t>(rank) * 1009 + static_cast<std::uint64_t>(call);
}

/// Standard normal values, the same for the same arguments.
inline std::vector<float> normal_values(std::uint64_t seed, int rank, int call, std::size_t count) {
  std::mt19937_64 random(mixed_seed(seed, rank, call));
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// Throws unless `status` is the expected failure and its words contain all of `words`.
inline void fails(goss_status status, goss_status expected, const std::vector<std::string>& words,
                  const std::string& what) {
  const std::string said = goss_last_error();
  expect(status == expected, what, ": ", goss_status_string(status), " instead of ", goss_status_string(expected), ": ",
         status == GOSS_OK ? "" : said);
  for (const std::string& word : words)
    expect(said.find(word) != std::string::npos, what, ": no '", word, "' in: ", said);
}

inline std::vector<float> residual_of(goss_tensor* tensor, std::size_t count) {
  std::vector<float> residual(count);
  ok(goss_tensor_residual(tensor, residual.data()), "goss_tensor_residual");
  return residual;
}

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

inline std::string describe(const goss_comm* comm) {
  std::vector<char> text(65536);
  ok(goss_comm_describe(comm, text.data(), text.size()), "goss_comm_describe");
  return text.data();
}

}  // namespace gossamer::test
