#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/low_rank_ranks.hpp"

// lowrank: what it promises besides the conformance suite. One object of one rank, whose chunks are whole rows.
using namespace gossamer;
using namespace gossamer::test;

namespace {

constexpr std::size_t kRows = 60;
constexpr std::size_t kCols = 50;

class Encoder {
 public:
  Encoder(const std::string& spec, std::size_t rows, std::size_t cols) {
    std::unique_ptr<TensorCodec> codec = make_codec(spec, matrix_shape(rows, cols)).codec;
    codec_.reset(dynamic_cast<Codec*>(codec.release()));
    REQUIRE(codec_ != nullptr);
  }
  Codec& operator*() { return *codec_; }
  void begin(Values& tensor) {
    StepContext context;
    context.shared = {42, ++call_, 0};
    codec_->begin({reinterpret_cast<std::byte*>(tensor.data()), tensor.size(), 0}, context);
  }
  /// Encodes elements [offset, offset + count) and adds what comes back to `decoded`; the bytes sent.
  std::size_t pass(Values& tensor, std::size_t offset, std::size_t count, Values& decoded) {
    std::vector<std::byte> slot(codec_->max_payload(count));
    const Bytes payload = codec_->encode({reinterpret_cast<std::byte*>(tensor.data() + offset), count, offset}, slot);
    codec_->accumulate(payload, 1, {reinterpret_cast<std::byte*>(decoded.data() + offset), count, offset});
    return payload.size();
  }
  /// A call that encodes the rows in `chunks` equal chunks.
  Values call(Values tensor, std::size_t chunks = 1) {
    begin(tensor);
    Values decoded(tensor.size(), 0.0F);
    const std::size_t count = tensor.size() / chunks;
    for (std::size_t i = chunks; i-- > 0;) pass(tensor, i * count, count, decoded);
    return decoded;
  }

 private:
  std::unique_ptr<Codec> codec_;
  std::uint32_t call_ = 0;
};

}  // namespace

TEST_CASE(
    "lowrank: calls on a matrix that stays converge to the best approximation of every chunk, if started warm (B1)") {
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, geometric_spectrum(40, 0.7), 71);
  for (const std::size_t chunks : {1, 3}) {
    CAPTURE(chunks);
    const auto rows = static_cast<Eigen::Index>(kRows / chunks);
    double best = 0;
    for (Eigen::Index first = 0; first < matrix.rows(); first += rows) {
      const Eigen::MatrixXd chunk = matrix.middleRows(first, rows);
      const Eigen::VectorXd singular = singular_triplets(chunk).values;
      best += singular.tail(singular.size() - 3).squaredNorm();
    }
    best = std::sqrt(best) / matrix.norm();
    Encoder warm("lowrank:rank=3", kRows, kCols);
    Encoder fresh("lowrank:rank=3,start=fresh", kRows, kCols);
    double error = 1;
    double fresh_error = 1;
    for (int call = 0; call < 12; ++call) {
      const double now = relative_error(warm.call(as_values(matrix), chunks), matrix);
      CHECK(now <= error * (1 + 1e-5));
      CHECK(now >= best * (1 - 1e-5));
      error = now;
      fresh_error = relative_error(fresh.call(as_values(matrix), chunks), matrix);
    }
    CHECK(error <= 1.01 * best);
    CHECK(fresh_error > error);
  }
}

TEST_CASE("lowrank: a matrix of that rank is exact, whatever it is cut into") {
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, geometric_spectrum(3, 0.5), 72);
  for (const std::size_t chunks : {1, 2, 5}) {
    Encoder encoder("lowrank:rank=3", kRows, kCols);
    CHECK(relative_error(encoder.call(as_values(matrix), chunks), matrix) <= 1e-5);
  }
}

TEST_CASE("lowrank: payloads are factors where those are shorter, and values where not") {
  Values tensor = random_values(kRows * kCols, 73);
  Encoder encoder("lowrank:rank=4", kRows, kCols);
  encoder.begin(tensor);
  Values decoded(tensor.size(), 0.0F);
  const std::size_t header = 16 + 4;
  CHECK(encoder.pass(tensor, 0, kRows * kCols, decoded) == header + 4 * 4 * (kRows + kCols));
  CHECK(encoder.pass(tensor, 0, 10 * kCols, decoded) == header + 4 * 4 * (10 + kCols));
  // 4 (4 + 50) floats are more than 4 · 50.
  std::fill(decoded.begin(), decoded.end(), 0.0F);
  CHECK(encoder.pass(tensor, 0, 4 * kCols, decoded) == header + 4 * 4 * kCols);
  CHECK(std::equal(decoded.begin(), decoded.begin() + 4 * kCols, tensor.begin()));
  // A run that ends within a row.
  std::fill(decoded.begin(), decoded.end(), 0.0F);
  CHECK(encoder.pass(tensor, 0, 10 * kCols + 7, decoded) == header + 4 * 4 * (10 + kCols) + 4 * 7);
  CHECK(std::equal(decoded.begin() + 10 * kCols, decoded.begin() + 10 * kCols + 7, tensor.begin() + 10 * kCols));
}

TEST_CASE("lowrank: a rank that no chunk is shorter with changes nothing") {
  const Values tensor = random_values(kRows * kCols, 74);
  for (const std::string rank : {"27", "28", "50", "2147483648"}) {
    CAPTURE(rank);
    Encoder encoder("lowrank:rank=" + rank, kRows, kCols);
    CHECK((encoder.call(tensor) == tensor) == (rank != "27"));
  }
  CHECK_THROWS_AS(make_codec("lowrank:rank=0", matrix_shape(kRows, kCols)), Error);
  CHECK_THROWS_AS(make_codec("lowrank:rank=2147483649", matrix_shape(kRows, kCols)), Error);
  CHECK_THROWS_AS(make_codec("lowrank:start=cold", matrix_shape(kRows, kCols)), Error);
}

TEST_CASE("lowrank: what a call learns takes effect in the next, in whatever order its chunks come") {
  const auto tensors = [](std::uint64_t seed) { return random_values(kRows * kCols, seed); };
  const auto run = [&](bool backwards) {
    Encoder encoder("lowrank:rank=3", kRows, kCols);
    std::vector<Values> results;
    for (std::uint64_t call = 0; call < 3; ++call) {
      Values tensor = tensors(75 + call);
      encoder.begin(tensor);
      Values decoded(tensor.size(), 0.0F);
      const std::size_t count = tensor.size() / 4;
      for (std::size_t i = 0; i < 4; ++i) encoder.pass(tensor, (backwards ? 3 - i : i) * count, count, decoded);
      results.push_back(decoded);
    }
    return results;
  };
  CHECK(run(false) == run(true));
}

TEST_CASE("lowrank: a saved state continues as the original does, and a zero gradient does not end the approximation") {
  Encoder original("lowrank:rank=3", kRows, kCols);
  const Eigen::MatrixXd matrix = with_spectrum(kRows, kCols, geometric_spectrum(3, 0.5), 76);
  original.call(random_values(kRows * kCols, 77), 2);
  Encoder restored("lowrank:rank=3", kRows, kCols);
  restored.call(random_values(kRows * kCols, 78), 2);
  std::ranges::copy((*original).state(), (*restored).state().begin());
  CHECK(original.call(random_values(kRows * kCols, 79), 2) == restored.call(random_values(kRows * kCols, 79), 2));
  const Values zero(kRows * kCols, 0.0F);
  CHECK(original.call(zero) == zero);
  CHECK(original.call(zero) == zero);
  CHECK(relative_error(original.call(as_values(matrix)), matrix) <= 1e-5);
}

TEST_CASE("lowrank: as long as the Frobenius norm is a float, nothing overflows") {
  const float largest = std::numeric_limits<float>::max() / 64;
  Encoder encoder("lowrank:rank=2", kRows, kCols);
  const Values tensor(kRows * kCols, largest);
  for (int call = 0; call < 2; ++call) {
    const Values decoded = encoder.call(tensor);
    CHECK(all_finite(decoded));
    CHECK(std::abs(decoded[17] / largest - 1) <= 1e-5);
  }
}
