#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "tests/mpi/team.hpp"

namespace gossamer::laws {
namespace {

/// A shuffle of 0 … count − 1 that is another one on every rank.
std::vector<std::size_t> order_of(int rank, std::size_t count, unsigned salt) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(salt + static_cast<unsigned>(rank) * 7919);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

/// What tensor `index` has on a rank: small whole numbers, whose sums are exact.
float whole_number(std::size_t index, std::size_t element, int rank) {
  return static_cast<float>((index * 31 + element * 7 + static_cast<std::size_t>(rank) * 3) % 257);
}

/// The seconds of a clock that all processes of a machine share.
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// W is doubly stochastic, so that mixing keeps the mean, and the round is one of W.
void check_round(const Setting& setting, const TensorOf& tensor, std::size_t count, std::uint64_t round) {
  const int n = setting.team.size();
  const int call = 5 + static_cast<int>(round);
  std::vector<int> ranks(static_cast<std::size_t>(n));
  std::vector<double> weights(ranks.size());
  int around = 0;
  double self = 0;
  ok(goss_comm_neighbours(setting.comm, round, ranks.data(), weights.data(), n, &around, &self), "neighbours");
  expect(around < n, setting.name, ": ", around, " neighbours among ", n, " ranks");

  std::vector<double> columns(ranks.size());
  columns[static_cast<std::size_t>(setting.team.rank())] = self;
  double row = self;
  for (int i = 0; i < around; ++i) {
    row += weights[static_cast<std::size_t>(i)];
    columns[static_cast<std::size_t>(ranks[static_cast<std::size_t>(i)])] += weights[static_cast<std::size_t>(i)];
  }
  setting.team.sum(columns);
  expect(std::abs(row - 1) < 1e-12, setting.name, ": weights add up to ", row);
  for (const double column : columns) expect(std::abs(column - 1) < 1e-12, setting.name, ": a column sums to ", column);

  std::vector<float> data = values_of(setting.team.rank(), call, count);
  std::vector<double> mixed(count), magnitude(count);
  const auto add = [&](int rank, double weight) {
    const std::vector<float> values = values_of(rank, call, count);
    for (std::size_t i = 0; i < count; ++i) mixed[i] += weight * values[i];
    for (std::size_t i = 0; i < count; ++i) magnitude[i] += weight * std::abs(values[i]);
  };
  add(setting.team.rank(), self);
  for (int i = 0; i < around; ++i) add(ranks[static_cast<std::size_t>(i)], weights[static_cast<std::size_t>(i)]);
  ok(goss_mix(tensor.get(), data.data()), setting.name + ": goss_mix");
  // Each term is a weight rounded to float, a product and a sum.
  const double unit = 0x1p-24 * (around + 3);
  for (std::size_t i = 0; i < count; ++i) {
    expect(std::abs(data[i] - mixed[i]) <= unit * magnitude[i], setting.name, ": element ", i, " mixes to ", data[i],
           " instead of ", mixed[i]);
  }
}

/// Nothing is in flight when nobody has got anything for some time.
template <typename Pull>
void drain(const Setting& setting, const Pull& pull) {
  for (int quiet = 0; quiet < 10;) {
    double got[] = {static_cast<double>(pull())};
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    setting.team.sum(got);
    quiet = got[0] == 0 ? quiet + 1 : 0;
  }
}

}  // namespace

void check_many_in_flight(const Setting& setting, int tensors) {
  const auto count = static_cast<std::size_t>(tensors);
  const int rank = setting.team.rank();
  std::vector<std::unique_ptr<TensorOf>> handles;
  std::vector<std::vector<float>> data(count);
  for (std::size_t i = 0; i < count; ++i) {
    data[i].resize(i * i * 3 % 5003 + i % 3);  // a few of none, most of some thousands
    handles.push_back(std::make_unique<TensorOf>(setting, "flight" + std::to_string(i), std::vector{data[i].size()},
                                                 i % 4 == 3 ? "fp16" : "identity"));
  }
  for (unsigned round = 0; round < 3; ++round) {
    std::vector<goss_request*> requests(count, nullptr);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < data[i].size(); ++j) data[i][j] = whole_number(i, j, rank);
    }
    for (const std::size_t i : order_of(rank, count, round)) {
      ok(goss_iallreduce(handles[i]->get(), data[i].data(), GOSS_SUM, &requests[i]), setting.name + ": posting");
    }
    if (round == 0) {
      for (const std::size_t i : order_of(rank + 100, count, round)) {
        ok(goss_wait(&requests[i]), setting.name + ": goss_wait");
      }
    } else {
      ok(goss_wait_all(tensors, requests.data()), setting.name + ": goss_wait_all");
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < data[i].size(); ++j) {
        float sum = 0;
        for (int other = 0; other < setting.team.size(); ++other) sum += whole_number(i, j, other);
        expect(data[i][j] == sum, setting.name, ": element ", j, " of tensor ", i, " of ", count, " in flight, round ",
               round, ", is ", data[i][j], " instead of ", sum);
      }
    }
  }
}

void check_broadcasts(const Setting& setting, Extent extent) {
  std::vector<std::size_t> counts = {1009};
  if (extent == Extent::whole)
    counts = {0, 1, static_cast<std::size_t>(setting.team.size() - 1), 1009, 100'003, 800'003};
  for (const std::size_t count : counts) {
    const TensorOf tensor(setting, "model", {count}, "topk:ratio=0.01");
    for (int root = 0; root < setting.team.size(); ++root) {
      std::vector<float> wanted = values_of(root, 11, count);
      for (std::size_t i = 0; i < count; i += 100) wanted[i] = std::nanf("");  // bits, not numbers, are handed on
      std::vector<float> data = wanted;
      if (setting.team.rank() != root) std::fill(data.begin(), data.end(), -1.0F);
      ok(goss_broadcast(tensor.get(), data.data(), root), setting.name + ": broadcast");
      expect(count == 0 || std::memcmp(data.data(), wanted.data(), count * sizeof(float)) == 0, setting.name,
             ": broadcast of ", count, " elements from rank ", root, " differs from what that rank has");
    }
  }
}

void check_mix(const Setting& setting, std::size_t count, std::uint64_t rounds) {
  const TensorOf tensor(setting, "gossip", {count}, "identity");
  for (std::uint64_t round = 0; round < rounds; ++round) check_round(setting, tensor, count, round);
}

void check_rounds(const Setting& setting) {
  constexpr std::size_t kCount = 60 * 80;
  const TensorOf tensor(setting, "rounds", {60, 80}, "identity");
  std::vector<float> model = values_of(setting.team.rank(), 7, kCount);
  // Of the mean, and Σ over ranks and elements of the squared distance from it.
  const auto apart = [&](std::vector<double>& mean) {
    mean.assign(model.begin(), model.end());
    setting.team.sum(mean);
    double squares[] = {0};
    for (std::size_t i = 0; i < kCount; ++i) {
      mean[i] /= setting.team.size();
      squares[0] += (model[i] - mean[i]) * (model[i] - mean[i]);
    }
    setting.team.sum(squares);
    return squares[0];
  };
  std::vector<double> before, after;
  const double start = apart(before);
  for (int round = 0; round < 20; ++round) ok(goss_mix(tensor.get(), model.data()), setting.name + ": goss_mix");
  const double end = apart(after);
  expect(end <= 0.9 * start, setting.name, ": 20 rounds leave ", end, " of ", start);
  for (std::size_t i = 0; i < kCount; ++i)
    expect(std::abs(after[i] - before[i]) < 1e-4, setting.name, ": a mean went from ", before[i], " to ", after[i]);
}

void check_pace(const Setting& setting) {
  const TensorOf tensor(setting, "pace", {100'003}, "identity");
  std::vector<float> model = values_of(setting.team.rank(), 8, 100'003);
  std::mt19937 random(18 + static_cast<unsigned>(setting.team.rank()));
  for (int step = 0; step < 100; ++step) {
    for (unsigned turns = random() % 4; turns > 0; --turns) std::this_thread::yield();
    ok(goss_push(tensor.get(), model.data()), setting.name + ": goss_push");
    ok(goss_pull(tensor.get(), model.data(), nullptr), setting.name + ": goss_pull");
  }
  ok(goss_barrier(setting.comm), setting.name + ": barrier");
}

void check_push(const Setting& setting) {
  constexpr std::size_t kCount = 100'003;
  const TensorOf tensor(setting, "pushed", {kCount}, "identity");
  const std::vector<float> start = values_of(setting.team.rank(), 6, kCount);
  std::vector<float> model = start;
  const auto pull = [&] {
    int messages = -1;
    ok(goss_pull(tensor.get(), model.data(), &messages), setting.name + ": goss_pull");
    return messages;
  };
  // The last rank opens its mailbox and then looks away: its neighbours notice, whatever buffers lie in between.
  pull();
  ok(goss_barrier(setting.comm), setting.name + ": barrier");
  const bool away = setting.team.size() > 1 && setting.team.rank() == setting.team.size() - 1;
  for (int step = 0; step < 50 && !away; ++step) {
    ok(goss_push(tensor.get(), model.data()), setting.name + ": goss_push");
    pull();
  }
  ok(goss_barrier(setting.comm), setting.name + ": barrier");
  // One letter of each neighbour at most, out of 50.
  const int letters = away ? pull() : 0;
  expect(letters < setting.team.size(), setting.name, ": ", letters, " letters wait for a rank that looked away");
  for (int step = 0; step < 200; ++step) {
    ok(goss_push(tensor.get(), model.data()), setting.name + ": goss_push");
    pull();
    std::this_thread::yield();
  }
  drain(setting, pull);
  double weight = 0;
  ok(goss_tensor_weight(tensor.get(), &weight), setting.name + ": goss_tensor_weight");
  std::vector<double> missing(kCount);
  for (std::size_t i = 0; i < kCount; ++i)
    missing[i] = weight * static_cast<double>(model[i]) - static_cast<double>(start[i]);
  double weights[] = {weight};
  setting.team.sum(missing);
  setting.team.sum(weights);
  expect(std::abs(weights[0] - setting.team.size()) < 1e-11, setting.name, ": weights sum to ", weights[0]);
  for (const double off : missing) expect(std::abs(off) < 1e-3, setting.name, ": a mass is off by ", off);
}

void check_connections(const Setting& setting) {
  std::vector<char> text(65536);
  ok(goss_comm_describe(setting.comm, text.data(), text.size()), setting.name + ": goss_comm_describe");
  std::istringstream lines(text.data());
  std::set<int> neighbours, connected;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "neighbours:") {
      while (words >> word) {
        if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) neighbours.insert(std::stoi(word));
      }
    } else if (line.starts_with("  rank ")) {
      words >> word;
      connected.insert(std::stoi(word));
    }
  }
  expect(!neighbours.empty() && connected == neighbours, setting.name,
         ": not connected to the neighbours alone: ", text.data());
}

void check_pairs(const Setting& setting) {
  constexpr std::size_t kCount = 100'003;
  const TensorOf tensor(setting, "pairs", {kCount}, "identity");
  std::vector<float> model = values_of(setting.team.rank(), 9, kCount);
  std::vector<double> missing(model.begin(), model.end());
  int exchanges = 0;
  const auto pull = [&] {
    int now = -1;
    ok(goss_pull(tensor.get(), model.data(), &now), setting.name + ": goss_pull");
    exchanges += now;
    return now;
  };
  for (int step = 0; step < 200; ++step) {
    ok(goss_push(tensor.get(), model.data()), setting.name + ": goss_push");
    std::this_thread::yield();
    pull();
  }
  drain(setting, pull);
  for (std::size_t i = 0; i < kCount; ++i) missing[i] -= model[i];
  setting.team.sum(missing);
  double all[] = {static_cast<double>(exchanges)};
  setting.team.sum(all);
  expect(setting.team.size() == 1 || all[0] > 0, setting.name, ": no exchanges");
  for (const double off : missing) expect(std::abs(off) < 1e-3, setting.name, ": a sum is off by ", off);
}

void check_barrier(const Setting& setting) {
  std::mt19937 random(17 + static_cast<unsigned>(setting.team.rank()));
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5000));
    const double entered = now();
    ok(goss_barrier(setting.comm), setting.name + ": barrier");
    const double left = now();
    for (const double theirs : setting.team.gather(entered)) {
      expect(left >= theirs, setting.name, ": left a barrier ", theirs - left, " s before another rank came");
    }
  }
}

}  // namespace gossamer::laws
