#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/low_rank_ranks.hpp"

// gradiveq: slices in a basis of their own, against principal components in float64.
using namespace gossamer;
using namespace gossamer::test;

namespace {

constexpr std::size_t kSlices = 150;
constexpr std::size_t kSlice = 24;

Shape vector_shape(std::size_t count) {
  return {DType::float32, {count}};
}

}  // namespace

TEST_CASE("gradiveq: the first call and every refresh-th exchange the tensor, the others d values of each slice") {
  Ranks group(3, "gradiveq:slice=24,dims=4,refresh=3", vector_shape(kSlices * kSlice + 5));
  for (int call = 0; call < 7; ++call) {
    CAPTURE(call);
    std::vector<Values> inputs;
    for (std::uint64_t rank = 0; rank < 3; ++rank) inputs.push_back(random_values(kSlices * kSlice + 5, 10 * rank + 1));
    const Values result = group.sum(inputs);
    CHECK(group.sent() == (call % 3 == 0 ? kSlices * kSlice + 5 : kSlices * 4 + 5));
    for (std::size_t i = call % 3 == 0 ? 0 : kSlices * kSlice; i < result.size(); ++i) {
      REQUIRE(result[i] == inputs[0][i] + inputs[1][i] + inputs[2][i]);
    }
  }
}

TEST_CASE("gradiveq: between refreshes the sum is projected onto its leading principal directions, as in float64") {
  const Eigen::MatrixXd slices = with_spectrum(kSlices, kSlice, geometric_spectrum(kSlice, 0.5), 101);
  const Eigen::MatrixXd basis = singular_triplets(slices).right.leftCols(5);
  Ranks group(2, "gradiveq:slice=24,dims=5,refresh=10", vector_shape(kSlices * kSlice));
  group.sum({as_values(0.25 * slices), as_values(0.75 * slices)});
  // The next sum is another one, in the basis of the first.
  const Eigen::MatrixXd next = with_spectrum(kSlices, kSlice, geometric_spectrum(kSlice, 0.9), 102);
  const Values result = group.sum({as_values(0.5 * next), as_values(0.5 * next)});
  CHECK(relative_error(result, next * basis * basis.transpose()) <= 1e-4);
}

TEST_CASE("gradiveq: slices that lie in d directions are exact as long as they do") {
  const Eigen::MatrixXd slices = with_spectrum(kSlices, kSlice, geometric_spectrum(3, 0.8), 103);
  Ranks group(2, "gradiveq:slice=24,dims=3,refresh=10", vector_shape(kSlices * kSlice));
  for (int call = 1; call < 5; ++call) {
    CHECK(relative_error(group.sum({as_values(call * slices), as_values(slices)}), (call + 1) * slices) <= 1e-5);
  }
}

TEST_CASE("gradiveq: short tensors, and more dims than slices") {
  for (const std::size_t count : {0, 1, 23, 24, 25, 71, 72, 75}) {
    CAPTURE(count);
    Ranks group(2, "gradiveq:slice=24,dims=8,refresh=10", vector_shape(count));
    const Values input = random_values(count, 104);
    Values doubled = input;
    for (float& value : doubled) value *= 2;
    CHECK(group.sum({input, input}) == doubled);
    // As many directions as there are slices: they contain what they came from.
    const Values result = group.sum({input, input});
    for (std::size_t i = 0; i < count; ++i) CHECK(result[i] == doctest::Approx(doubled[i]).epsilon(1e-4));
  }
}

TEST_CASE("gradiveq: the basis and its age are saved") {
  const std::string spec = "gradiveq:slice=24,dims=4,refresh=4";
  Ranks original(2, spec, vector_shape(kSlices * kSlice));
  const auto inputs = [](std::uint64_t seed) {
    return std::vector<Values>{random_values(kSlices * kSlice, seed), random_values(kSlices * kSlice, seed + 100)};
  };
  for (std::uint64_t call = 0; call < 2; ++call) original.sum(inputs(call));
  Ranks restored(2, spec, vector_shape(kSlices * kSlice));
  for (std::size_t rank = 0; rank < 2; ++rank) {
    std::ranges::copy(original[rank].state(), restored[rank].state().begin());
  }
  restored.continue_after(original);
  for (std::uint64_t call = 2; call < 7; ++call)
    CHECK(same_bits(original.sum(inputs(call)), restored.sum(inputs(call))));
  for (std::size_t rank = 0; rank < 2; ++rank) original[rank].reset();
  original.sum(inputs(9));
  CHECK(original.sent() == kSlices * kSlice);
}

TEST_CASE("gradiveq: options out of range are refused with words") {
  for (const std::string option : {"slice=1", "slice=5000", "dims=0", "dims=65", "refresh=0", "wire=fp8"}) {
    CAPTURE(option);
    try {
      make_codec("gradiveq:" + option, vector_shape(1000));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::argument);
      CHECK(std::string(error.what()).find(option) != std::string::npos);
    }
  }
}
