// The count-sketch and what is built on it: independence of its hash functions, unbiased rows of bounded variance,
// linearity, and sums of the largest elements that are exact.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "compress/count_sketch.hpp"
#include "compress/kernels.hpp"
#include "tests/codec_cases.hpp"
#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

RandomStream shared_stream(std::uint32_t call) {
  return {7, call, 0};
}

/// One row's sketch of a single 1 at `element`: where it lands, and with which sign.
struct Landing {
  std::size_t column = 0;
  int sign = 0;
};

Landing land(CountSketch& sketch, std::vector<float>& zeros, std::size_t element) {
  zeros[element] = 1;
  sketch.sketch(zeros);
  zeros[element] = 0;
  for (std::size_t column = 0; column < sketch.cells().size(); ++column) {
    const float cell = sketch.cells()[column];
    if (cell != 0) return {column, cell > 0 ? 1 : -1};
  }
  return {};
}

std::unique_ptr<TensorCodec> make(const std::string& spec, std::size_t count) {
  return make_codec(spec, Shape{DType::float32, {count}}).codec;
}

/// All rounds over these ranks' values; what rank 0 reconstructs.
std::vector<float> call(const std::string& spec, std::vector<std::vector<float>>& ranks, std::uint32_t number = 1) {
  std::vector<std::unique_ptr<TensorCodec>> codecs;
  StepContext context;
  context.shared = shared_stream(number);
  context.ranks = static_cast<int>(ranks.size());
  for (std::vector<float>& values : ranks) {
    codecs.push_back(make(spec, values.size()));
    dynamic_cast<LinearCodec&>(*codecs.back()).begin(chunk_of(values), context);
  }
  auto& first = dynamic_cast<LinearCodec&>(*codecs[0]);
  for (int round = 0; round < first.rounds(); ++round) {
    std::vector<float> sum(first.round_count(round), 0.0F);
    std::vector<float> mine(sum.size());
    for (const auto& codec : codecs) {
      dynamic_cast<LinearCodec&>(*codec).project(round, 0, mine);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += mine[i];
    }
    for (const auto& codec : codecs) dynamic_cast<LinearCodec&>(*codec).absorb(round, sum);
  }
  std::vector<float> out(ranks[0].size());
  first.reconstruct(0, out);
  return out;
}

}  // namespace

TEST_CASE("count-sketch: signs of four elements are independent, also of four that differ in two digits only") {
  // 0, 1, 4096 and 4097 have two values for each digit: with the digits' tables alone the product of their signs were
  // always +1.
  constexpr std::uint32_t kDraws = 2000;
  std::vector<float> zeros(4098, 0.0F);
  CountSketch sketch(1, 4, zeros.size());
  int product = 0;
  int pairs = 0;
  std::vector<int> columns(4, 0);
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    sketch.draw(shared_stream(draw));
    const Landing a = land(sketch, zeros, 0);
    const Landing b = land(sketch, zeros, 1);
    const Landing c = land(sketch, zeros, 4096);
    const Landing d = land(sketch, zeros, 4097);
    product += a.sign * b.sign * c.sign * d.sign;
    pairs += a.column == d.column ? 1 : 0;
    ++columns[c.column];
  }
  INFO("seed 7");
  CHECK(std::abs(product) < 5 * std::sqrt(kDraws));
  CHECK(std::abs(pairs - kDraws / 4.0) < 5 * std::sqrt(kDraws * 3.0 / 16));
  for (const int times : columns) CHECK(std::abs(times - kDraws / 4.0) < 5 * std::sqrt(kDraws * 3.0 / 16));
}

TEST_CASE("count-sketch: elements land where the documented tables say") {
  // For each row words A[high], B[low], C[high + low] in turn; here three blocks, the last of 1003 elements.
  constexpr std::size_t kCount = 2 * 4096 + 1003;
  constexpr std::size_t kColumns = 777;
  constexpr std::size_t kTables = 3 + 4096 + 3 + 4096;
  std::vector<std::uint32_t> words(2 * kTables);
  kernels::random_words(shared_stream(9), 0, words);
  const std::vector<float> values = make_input("normal", kCount, 2);
  std::vector<float> expected(2 * kColumns, 0.0F);
  const auto hash_of = [&](std::size_t row, std::size_t i) {
    const std::uint32_t* table = words.data() + row * kTables;
    return table[i / 4096] ^ table[3 + i % 4096] ^ table[3 + 4096 + i / 4096 + i % 4096];
  };
  const auto column_of = [&](std::uint32_t hash) {
    return static_cast<std::size_t>(std::uint64_t{hash & 0x7fffffff} * kColumns >> 31);
  };
  CountSketch sketch(2, kColumns, kCount);
  sketch.draw(shared_stream(9));
  sketch.sketch(values);
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t i = 0; i < kCount; ++i) {
      const std::uint32_t hash = hash_of(row, i);
      expected[row * kColumns + column_of(hash)] += hash >> 31 != 0 ? -values[i] : values[i];
    }
  }
  CHECK(std::equal(expected.begin(), expected.end(), sketch.cells().begin()));
  std::size_t unequal = 0;
  std::vector<float> estimates(4096);
  for (std::size_t block = 0; block < 3; ++block) {
    const std::span<float> out = std::span(estimates).first(sketch.block_count(block));
    sketch.estimate_row(1, block, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint32_t hash = hash_of(1, 4096 * block + i);
      const float cell = expected[kColumns + column_of(hash)];
      unequal += out[i] == (hash >> 31 != 0 ? -cell : cell) ? 0 : 1;
    }
  }
  CHECK(unequal == 0);
}

TEST_CASE("count-sketch: a row is unbiased and its variance is at most |x|^2 / columns") {
  constexpr std::size_t kCount = 300;
  constexpr std::size_t kColumns = 16;
  constexpr std::uint32_t kDraws = 4000;
  const std::vector<float> values = make_input("normal", kCount, 3);
  const double norm = std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
  CountSketch sketch(1, kColumns, kCount);
  std::vector<double> sum(kCount, 0.0);
  std::vector<double> squares(kCount, 0.0);
  std::vector<float> row(kCount);
  for (std::uint32_t draw = 0; draw < kDraws; ++draw) {
    sketch.draw(shared_stream(draw));
    sketch.sketch(values);
    sketch.estimate_row(0, 0, row);
    for (std::size_t i = 0; i < kCount; ++i) {
      const double error = static_cast<double>(row[i]) - static_cast<double>(values[i]);
      sum[i] += error;
      squares[i] += error * error;
    }
  }
  INFO("seed 7");
  double mean_variance = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    CHECK(std::abs(sum[i] / kDraws) < 5 * std::sqrt(norm / kColumns / kDraws));
    // Chebyshev would ask for more room: errors are sums of many independent ones, so near to normal.
    CHECK(squares[i] / kDraws < norm / kColumns * (1 + 5 * std::sqrt(3.0 / kDraws)));
    mean_variance += squares[i] / kDraws / kCount;
  }
  CHECK(mean_variance == doctest::Approx(norm / kColumns * (1 - 1.0 / kCount)).epsilon(0.02));
}

TEST_CASE("count-sketch: sketches of several blocks add up to the sketch of the sum") {
  constexpr std::size_t kCount = 10007;
  const std::vector<float> x = make_input("normal", kCount, 4);
  const std::vector<float> y = make_input("normal", kCount, 5);
  std::vector<float> both(kCount);
  for (std::size_t i = 0; i < kCount; ++i) both[i] = x[i] + y[i];
  CountSketch sketch(5, 500, kCount);
  sketch.draw(shared_stream(1));
  const auto cells_of = [&](std::span<const float> values) {
    sketch.sketch(values);
    return std::vector<float>(sketch.cells().begin(), sketch.cells().end());
  };
  const std::vector<float> of_x = cells_of(x);
  const std::vector<float> of_y = cells_of(y);
  const std::vector<float> of_both = cells_of(both);
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < of_both.size(); ++i) {
    error += std::pow(static_cast<double>(of_x[i]) + of_y[i] - of_both[i], 2);
    norm += std::pow(static_cast<double>(of_both[i]), 2);
  }
  CHECK(std::sqrt(error / norm) < 1e-6);
}

TEST_CASE("count-sketch: the estimate is the median of the rows") {
  constexpr std::size_t kCount = 5000;
  const std::vector<float> values = make_input("normal", kCount, 6);
  for (const std::size_t rows : {1, 3, 5, 7, 15}) {
    CountSketch sketch(rows, 100, kCount);
    sketch.draw(shared_stream(2));
    sketch.sketch(values);
    for (std::size_t block = 0; block < sketch.blocks(); ++block) {
      std::vector<std::vector<float>> all(rows, std::vector<float>(sketch.block_count(block)));
      for (std::size_t row = 0; row < rows; ++row) sketch.estimate_row(row, block, all[row]);
      const std::span<const float> medians = sketch.estimate(block);
      REQUIRE(medians.size() == sketch.block_count(block));
      std::size_t unequal = 0;
      for (std::size_t i = 0; i < medians.size(); ++i) {
        std::vector<float> column;
        for (const auto& row : all) column.push_back(row[i]);
        std::sort(column.begin(), column.end());
        unequal += medians[i] == column[rows / 2] ? 0 : 1;
      }
      CHECK(unequal == 0);
    }
  }
}

TEST_CASE("largest of a stream: the same as sorting, ties to the earlier position, whatever the order") {
  for (const std::string_view order : {"random", "ascending", "ties", "zeros"}) {
    for (const std::size_t wanted : {0, 1, 100, 30000}) {
      std::vector<float> values = make_input(order == "zeros" ? "one value" : "normal", 20000, 8);
      if (order == "ascending")
        std::sort(values.begin(), values.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
      if (order == "ties")
        for (float& value : values) value = std::round(value);
      std::vector<std::size_t> expected;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] != 0) expected.push_back(i);
      }
      std::stable_sort(expected.begin(), expected.end(),
                       [&](std::size_t a, std::size_t b) { return std::abs(values[a]) > std::abs(values[b]); });
      expected.resize(std::min(expected.size(), wanted));
      std::sort(expected.begin(), expected.end());
      LargestOfStream stream(wanted);
      std::vector<std::size_t> got;
      for (int round = 0; round < 2; ++round) {
        stream.clear();
        for (std::size_t at = 0; at < values.size(); at += 3000)
          stream.offer(std::span<const float>(values).subspan(at, std::min<std::size_t>(3000, values.size() - at)), at);
        stream.take(got);
        INFO(std::string(order), ", ", wanted, " wanted");
        CHECK(got == expected);
      }
    }
  }
}

TEST_CASE("sketch: elements that stand out come back with their exact sums, nothing else does") {
  constexpr std::size_t kCount = 50000;
  std::vector<std::vector<float>> ranks;
  for (std::uint32_t rank = 0; rank < 3; ++rank) {
    ranks.push_back(make_input("normal", kCount, 20 + rank));
    for (std::size_t heavy = 0; heavy < 20; ++heavy) ranks.back()[heavy * 2011 + 5] = 100.0F + static_cast<float>(rank);
  }
  auto inputs = ranks;
  const std::vector<float> out = call("sketch:k=20,columns=1000", ranks);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const bool heavy = i % 2011 == 5 && i / 2011 < 20;
    wrong += out[i] == (heavy ? 303.0F : 0.0F) ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(ranks == inputs);
}

TEST_CASE("sketch: what the ranks have in common is found though no rank has it among its largest") {
  constexpr std::size_t kCount = 20000;
  std::vector<std::vector<float>> ranks;
  for (std::uint32_t rank = 0; rank < 16; ++rank) {
    ranks.push_back(make_input("normal", kCount, 40 + rank));
    ranks.back()[777] = 3.0F;  // hundreds of a rank's values are larger
  }
  CHECK(call("sketch:k=1,columns=3000,oversample=2", ranks)[777] == 48.0F);
}

TEST_CASE("sketch: k of the largest where a tensor is no larger than its sketch, and fewer where there are fewer") {
  std::vector<std::vector<float>> ranks = {make_input("normal", 300, 9)};
  const std::vector<float> out = call("sketch:k=10", ranks);
  std::vector<float> sorted = ranks[0];
  std::sort(sorted.begin(), sorted.end(), [](float a, float b) { return std::abs(a) > std::abs(b); });
  for (std::size_t i = 0; i < 300; ++i) {
    CHECK(out[i] == (std::abs(ranks[0][i]) >= std::abs(sorted[9]) ? ranks[0][i] : 0.0F));
  }
  for (const std::size_t count : {0, 1, 300, 100003}) {
    ranks = {make_input("one value", count, 1)};
    CHECK(call("sketch:k=10", ranks) == ranks[0]);
    ranks = {make_input("zeros", count, 1)};
    CHECK(call("sketch:k=10", ranks) == ranks[0]);
  }
}

TEST_CASE("sketch: the bytes depend on neither the ranks nor the data") {
  const auto codec = make("sketch:k=50,rows=3,columns=700,oversample=6", 100000);
  auto& sketch = dynamic_cast<LinearCodec&>(*codec);
  for (const char* pattern : {"normal", "zeros", "one value"}) {
    std::vector<float> values = make_input(pattern, 100000, 1);
    sketch.begin(chunk_of(values), {});
    CHECK(sketch.round_count(0) == 3 * 700);
    CHECK(sketch.round_count(1) == 6 * 50);
  }
  const auto standard = make("sketch", 1000000);
  CHECK(dynamic_cast<LinearCodec&>(*standard).round_count(0) == 5 * 10000);
  CHECK(dynamic_cast<LinearCodec&>(*standard).round_count(1) == 4 * 1000);
}

TEST_CASE("sketch: a rank's residual is its own input without what was kept") {
  constexpr std::size_t kCount = 20000;
  std::vector<std::vector<float>> residuals(2);
  std::vector<std::vector<float>> results(2);
  ThreadGroup group(2);
  run_ranks(2, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    const TensorHandle tensor = make_tensor(comm.get(), "t", {kCount}, "sketch:k=30,columns=500");
    std::vector<float> data = normal_values(3, rank, 0, kCount);
    ok(goss_allreduce(tensor.get(), data.data(), GOSS_MEAN), "allreduce");
    results[static_cast<std::size_t>(rank)] = std::move(data);
    residuals[static_cast<std::size_t>(rank)] = residual_of(tensor.get(), kCount);
  });
  std::size_t kept = 0;
  for (int rank = 0; rank < 2; ++rank) {
    const std::vector<float> input = normal_values(3, rank, 0, kCount);
    const auto& residual = residuals[static_cast<std::size_t>(rank)];
    for (std::size_t i = 0; i < kCount; ++i) {
      REQUIRE(residual[i] == (results[0][i] == 0 ? input[i] : 0.0F));
      kept += results[0][i] == 0 ? 0 : 1;
    }
  }
  CHECK(kept == 60);
}

TEST_CASE("sketch refuses what it does not know") {
  for (const char* options :
       {"rows=2", "rows=0", "rows=17", "columns=-1", "k=-1", "k=many", "oversample=0", "ratio=1"}) {
    CAPTURE(options);
    CHECK_THROWS_AS(make(sentence("sketch:", options), 1000), Error);
  }
  CHECK_THROWS_WITH_AS(make("sketch:rows=4", 1000), doctest::Contains("median"), Error);
}

}  // namespace gossamer::test
