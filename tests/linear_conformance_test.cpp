#include <doctest/doctest.h>

#include "tests/codec_cases.hpp"

/// The laws of every LinearCodec, for every line of linear_cases(): ranks project, the vectors are summed as an
/// all-reduce would, everybody reconstructs.
namespace gossamer {
namespace {

using Dims = std::vector<std::size_t>;

const std::vector<Dims>& shapes() {
  static const std::vector<Dims> list = {{7, 5}, {64, 3}, {3, 64}, {33, 13, 5}, {128, 257}};
  return list;
}

std::size_t count_of(const Dims& dims) {
  return Shape{DType::float32, dims}.count();
}

std::string label(const LinearCase& codec, const Dims& dims, int ranks) {
  std::string text = sentence(codec.spec, ", ", ranks, " ranks, dims");
  for (const std::size_t dim : dims) text = sentence(text, " ", dim);
  return text;
}

/// `ranks` codec objects of one tensor, each with its own values.
class World {
 public:
  World(const std::string& spec, Dims dims, int ranks) : dims_(std::move(dims)) {
    for (int rank = 0; rank < ranks; ++rank) {
      codecs_.push_back(make_codec(spec, Shape{DType::float32, dims_}).codec);
      values_.emplace_back();
    }
  }
  [[nodiscard]] int ranks() const { return static_cast<int>(codecs_.size()); }
  LinearCodec& codec(int rank) { return dynamic_cast<LinearCodec&>(*codecs_[static_cast<std::size_t>(rank)]); }
  std::vector<float>& values(int rank) { return values_[static_cast<std::size_t>(rank)]; }

  void fill(std::string_view pattern, std::uint32_t seed) {
    for (int rank = 0; rank < ranks(); ++rank) {
      values(rank) = make_input(pattern, count_of(dims_), seed + static_cast<std::uint32_t>(rank));
    }
  }

  /// One call: all rounds on all ranks. Vectors are asked for in pieces, the last piece first.
  void call(std::uint32_t number) {
    for (int rank = 0; rank < ranks(); ++rank) {
      StepContext context;
      context.shared = {42, number, 0};
      context.own = {42, number, static_cast<std::uint32_t>(rank) + 1};
      context.ranks = ranks();
      codec(rank).begin(chunk_of(values(rank)), context);
    }
    learnt_.clear();
    if (learner_of(codec(0)) != nullptr) {
      for (const double value : exact_sum()) learnt_.push_back(static_cast<float>(value));
      for (int rank = 0; rank < ranks(); ++rank) {
        Learner* learner = learner_of(codec(rank));
        REQUIRE(learner != nullptr);
        learner->learn(learnt_);
      }
      return;
    }
    for (int round = 0; round < codec(0).rounds(); ++round) {
      for (int rank = 1; rank < ranks(); ++rank) REQUIRE(runs(codec(rank), round) == runs(codec(0), round));
      if (!runs(codec(0), round)) continue;
      const std::vector<float> sum = sum_of_round(round);
      for (int rank = 0; rank < ranks(); ++rank) codec(rank).absorb(round, sum);
    }
  }

  std::vector<float> sum_of_round(int round) {
    const std::size_t count = codec(0).round_count(round);
    std::vector<float> sum(count, 0.0F);
    std::vector<float> mine(count);
    for (int rank = 0; rank < ranks(); ++rank) {
      const std::size_t piece = count / 3 + 1;
      for (std::size_t end = count; end > 0;) {
        const std::size_t start = (end - 1) / piece * piece;
        codec(rank).project(round, start, std::span(mine).subspan(start, end - start));
        end = start;
      }
      for (std::size_t i = 0; i < count; ++i) sum[i] += mine[i];
    }
    return sum;
  }

  std::vector<float> reconstruct(int rank) {
    if (!learnt_.empty()) return learnt_;
    std::vector<float> out(count_of(dims_));
    codec(rank).reconstruct(0, out);
    return out;
  }

  void reconstruct_piece(std::size_t at, std::span<float> out) {
    if (!learnt_.empty()) {
      std::copy_n(learnt_.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
    } else {
      codec(0).reconstruct(at, out);
    }
  }

  [[nodiscard]] std::vector<double> exact_sum() const {
    std::vector<double> sum(count_of(dims_), 0.0);
    for (const std::vector<float>& values : values_) {
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(values[i]);
    }
    return sum;
  }

 private:
  Dims dims_;
  std::vector<std::unique_ptr<TensorCodec>> codecs_;
  std::vector<std::vector<float>> values_;
  std::vector<float> learnt_;  // the result of a dense call
};

template <typename Law>
void for_all_worlds(const Law& law) {
  for (const LinearCase& codec : linear_cases()) {
    for (const Dims& dims : shapes()) {
      for (const int ranks : {1, 2, 5}) {
        INFO(label(codec, dims, ranks), ", seed 31");
        World world(codec.spec, dims, ranks);
        law(codec, world);
      }
    }
  }
}

TEST_CASE("linear codec: the reconstruction obeys the codec's error bound") {
  for_all_worlds([](const LinearCase& codec, World& world) {
    world.fill("normal", 31);
    world.call(1);
    const std::vector<double> sum = world.exact_sum();
    const std::vector<float> got = world.reconstruct(0);
    double error = 0.0;
    double norm = 0.0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      error += (sum[i] - static_cast<double>(got[i])) * (sum[i] - static_cast<double>(got[i]));
      norm += sum[i] * sum[i];
    }
    CHECK(std::sqrt(error) <= codec.relative_error * std::sqrt(norm));
  });
}

TEST_CASE("linear codec: all ranks reconstruct the same bits") {
  for_all_worlds([](const LinearCase&, World& world) {
    world.fill("normal", 31);
    for (std::uint32_t call = 1; call <= 3; ++call) {
      world.call(call);
      const std::vector<float> first = world.reconstruct(0);
      for (int rank = 1; rank < world.ranks(); ++rank) CHECK(world.reconstruct(rank) == first);
    }
  });
}

TEST_CASE("linear codec: pieces of a reconstruction are the same as the whole") {
  for_all_worlds([](const LinearCase&, World& world) {
    world.fill("normal", 31);
    world.call(1);
    const std::vector<float> whole = world.reconstruct(0);
    std::vector<float> pieces(whole.size());
    for (std::size_t at = 0, length = 1; at < pieces.size(); length = length * 2 + 1) {
      const std::size_t count = std::min(length, pieces.size() - at);
      world.reconstruct_piece(at, std::span(pieces).subspan(at, count));
      at += count;
    }
    double worst = 0.0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(whole[i]) - static_cast<double>(pieces[i])));
    }
    CHECK(worst == 0.0);
  });
}

TEST_CASE("linear codec: what ranks say they contributed adds up to the reconstruction, in any pieces") {
  for_all_worlds([](const LinearCase&, World& world) {
    if (dynamic_cast<OwnContribution*>(&world.codec(0)) == nullptr || world.codec(0).wire() != "identity") return;
    world.fill("normal", 31);
    world.call(1);
    const std::vector<float> whole = world.reconstruct(0);
    std::vector<float> sum(whole.size(), 0.0F);
    for (int rank = 0; rank < world.ranks(); ++rank) {
      const auto& own = dynamic_cast<const OwnContribution&>(world.codec(rank));
      std::vector<float> part(whole.size());
      for (std::size_t at = 0, length = 1; at < part.size(); length = length * 2 + 1) {
        const std::size_t count = std::min(length, part.size() - at);
        own.contribution(at, std::span<const float>(world.values(rank)).subspan(at, count),
                         std::span(part).subspan(at, count));
        at += count;
      }
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
    }
    CHECK(sum == whole);
  });
}

TEST_CASE("linear codec: zeros stay zeros and later gradients recover from them (B2)") {
  for_all_worlds([](const LinearCase& codec, World& world) {
    world.fill("zeros", 31);
    for (std::uint32_t call = 1; call <= 2; ++call) {
      world.call(call);
      for (const float value : world.reconstruct(0)) REQUIRE(value == 0.0F);
    }
    world.fill("normal", 31);
    world.call(3);
    double energy = 0.0;
    for (const float value : world.reconstruct(0)) energy += static_cast<double>(value) * static_cast<double>(value);
    INFO(codec.spec);
    CHECK(energy > 0.0);
  });
}

TEST_CASE("linear codec: every finite input gives a finite reconstruction") {
  for_all_worlds([](const LinearCase& codec, World& world) {
    for (const std::string_view pattern : kPatterns) {
      // A float16 wire cannot carry the huge ones.
      if (pattern == "huge" && codec.spec.find("fp16") != std::string::npos) continue;
      if (pattern == "wide range" && codec.spec.find("fp16") != std::string::npos) continue;
      INFO("input '", std::string(pattern), "'");
      world.fill(pattern, 31);
      world.call(1);
      std::size_t not_finite = 0;
      for (const float value : world.reconstruct(0)) not_finite += std::isfinite(value) ? 0 : 1;
      CHECK(not_finite == 0);
    }
  });
}

TEST_CASE("linear codec: saved state continues as the original does, reset starts over") {
  for_all_worlds([](const LinearCase& codec, World& world) {
    INFO(codec.spec);
    world.fill("normal", 31);
    world.call(1);
    const std::vector<float> first = world.reconstruct(0);
    std::vector<std::vector<float>> saved;
    for (int rank = 0; rank < world.ranks(); ++rank) {
      const std::span<float> state = world.codec(rank).state();
      saved.emplace_back(state.begin(), state.end());
    }
    world.call(2);
    const std::vector<float> second = world.reconstruct(0);
    for (int rank = 0; rank < world.ranks(); ++rank) {
      world.codec(rank).reset();
      std::ranges::copy(saved[static_cast<std::size_t>(rank)], world.codec(rank).state().begin());
    }
    world.call(2);
    CHECK(world.reconstruct(0) == second);
    for (int rank = 0; rank < world.ranks(); ++rank) world.codec(rank).reset();
    world.call(1);
    CHECK(world.reconstruct(0) == first);
  });
}

}  // namespace
}  // namespace gossamer
