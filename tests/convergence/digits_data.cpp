#include "tests/convergence/digits_data.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace gossamer::convergence {
namespace {

constexpr int kPixels = 64;
constexpr int kCount = 1797;
constexpr float kWhite = 16;
constexpr int kTestEvery = 5;

struct ClosePipe {
  void operator()(std::FILE* pipe) const noexcept { pclose(pipe); }
};

std::string unpacked(const std::string& path) {
  const std::unique_ptr<std::FILE, ClosePipe> pipe(popen(("gzip -dc '" + path + "'").c_str(), "r"));
  std::string text;
  std::array<char, 65536> block;
  while (pipe != nullptr) {
    const std::size_t got = std::fread(block.data(), 1, block.size(), pipe.get());
    if (got == 0) break;
    text.append(block.data(), got);
  }
  return text;
}

/// One line: 64 grey values from 0 to 16, and the digit.
void append(const std::string& line, Images& images) {
  std::istringstream in(line);
  const Eigen::Index column = images.count();
  images.pixels.conservativeResize(kPixels, column + 1);
  double value = 0;
  char comma = 0;
  for (int i = 0; i < kPixels; ++i) {
    in >> value >> comma;
    images.pixels(i, column) = static_cast<float>(value) / kWhite;
  }
  in >> value;
  if (!in || value < 0 || value > 9) throw std::runtime_error("no image of a digit: " + line);
  images.labels.push_back(static_cast<int>(value));
}

}  // namespace

std::optional<Digits> load_digits(const std::string& path, int ranks) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  Digits digits;
  digits.shards.resize(static_cast<std::size_t>(ranks));
  std::istringstream text(unpacked(path));
  int images = 0;
  std::size_t dealt = 0;
  for (std::string line; std::getline(text, line); ++images) {
    const bool test = images % kTestEvery == kTestEvery - 1;
    append(line, test ? digits.test : digits.shards[dealt++ % digits.shards.size()]);
  }
  if (images != kCount) {
    throw std::runtime_error(path + " holds " + std::to_string(images) + " images; expected " + std::to_string(kCount));
  }
  return digits;
}

Digits sorted_by_digit(const Digits& digits) {
  std::vector<std::pair<const Images*, Eigen::Index>> places;
  for (const Images& shard : digits.shards) {
    for (Eigen::Index i = 0; i < shard.count(); ++i) places.emplace_back(&shard, i);
  }
  const auto label = [](const auto& place) { return place.first->labels[static_cast<std::size_t>(place.second)]; };
  std::ranges::stable_sort(places, {}, label);
  Digits sorted{.shards = digits.shards, .test = digits.test};
  std::size_t next = 0;
  for (Images& shard : sorted.shards) {
    for (Eigen::Index i = 0; i < shard.count(); ++i, ++next) {
      shard.pixels.col(i) = places[next].first->pixels.col(places[next].second);
      shard.labels[static_cast<std::size_t>(i)] = label(places[next]);
    }
  }
  return sorted;
}

}  // namespace gossamer::convergence
