// Non-blocking calls: many at once, posted in any order, waited for or polled, from one thread or several.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>

#include "tests/library_cases.hpp"

namespace gossamer::test {
namespace {

/// A tensor with integer values, so that sums are exact in any order.
struct Item {
  TensorHandle tensor;
  std::vector<float> data;
  goss_request* request = nullptr;
};

float value_of(std::size_t tensor, int rank, std::size_t element) {
  return static_cast<float>((tensor * 7 + static_cast<std::size_t>(rank) * 31 + element) % 1000);
}

void fill(Item& item, std::size_t number, int rank) {
  for (std::size_t i = 0; i < item.data.size(); ++i) item.data[i] = value_of(number, rank, i);
}

void expect_sum(const Item& item, std::size_t number, int ranks) {
  for (std::size_t i = 0; i < item.data.size(); ++i) {
    float sum = 0;
    for (int rank = 0; rank < ranks; ++rank) sum += value_of(number, rank, i);
    expect(item.data[i] == sum, "tensor ", number, " element ", i, " is ", item.data[i], " instead of ", sum);
  }
}

std::vector<Item> make_items(goss_comm* comm, std::size_t tensors, const std::string& codec = "identity") {
  std::vector<Item> items;
  for (std::size_t t = 0; t < tensors; ++t) {
    const std::size_t count = t * 37 % 301;
    items.push_back({make_tensor(comm, "w" + std::to_string(t), {count}, codec), std::vector<float>(count)});
  }
  return items;
}

std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed, int rank, int round) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(mixed_seed(seed, rank, round));
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

void post(Item& item) {
  ok(goss_iallreduce(item.tensor.get(), item.data.data(), GOSS_SUM, &item.request), "goss_iallreduce");
  expect(item.request != nullptr, "no request");
}

void finish_by_polling(std::vector<Item>& items, const std::vector<std::size_t>& order) {
  std::size_t open = items.size();
  while (open > 0) {
    for (const std::size_t t : order) {
      if (items[t].request == nullptr) continue;
      int done = 0;
      ok(goss_test(&items[t].request, &done), "goss_test");
      expect((done == 1) == (items[t].request == nullptr), "goss_test frees a request exactly when it is done");
      if (done == 1) --open;
    }
    std::this_thread::yield();
  }
}

void finish_all_at_once(std::vector<Item>& items) {
  std::vector<goss_request*> requests;
  for (const Item& item : items) requests.push_back(item.request);
  ok(goss_wait_all(static_cast<int>(requests.size()), requests.data()), "goss_wait_all");
  for (Item& item : items) item.request = nullptr;
  for (const goss_request* request : requests) expect(request == nullptr, "goss_wait_all left a request");
}

constexpr std::uint64_t kSeed = 4711;

void shuffle_round(std::vector<Item>& items, int rank, int ranks, int round) {
  for (std::size_t t = 0; t < items.size(); ++t) fill(items[t], t + static_cast<std::size_t>(round), rank);
  for (const std::size_t t : shuffled(items.size(), kSeed, rank, 2 * round)) post(items[t]);
  const std::vector<std::size_t> order = shuffled(items.size(), kSeed, rank, 2 * round + 1);
  if (round == 0) {
    for (const std::size_t t : order) ok(goss_wait(&items[t].request), "goss_wait");
  } else if (round == 1) {
    finish_all_at_once(items);
  } else {
    finish_by_polling(items, order);
  }
  for (std::size_t t = 0; t < items.size(); ++t) expect_sum(items[t], t + static_cast<std::size_t>(round), ranks);
}

}  // namespace

TEST_CASE("a thousand tensors in flight at once, posted and awaited in another order on every rank") {
  INFO("seed " << kSeed);
  constexpr int kRanks = 3;
  for (const std::string progress : {"thread", "polling"}) {
    ThreadGroup group(kRanks);
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc progress=" + progress);
      std::vector<Item> items = make_items(comm.get(), 1000);
      for (int round = 0; round < 3; ++round) shuffle_round(items, rank, kRanks, round);
    });
  }
}

TEST_CASE("shuffled posts on every topology") {
  INFO("seed " << kSeed);
  for (const int ranks : {2, 4}) {
    for (const std::string& topology : topologies_of(ranks)) {
      ThreadGroup group(ranks);
      run_ranks(ranks, [&](int rank) {
        const CommHandle comm = make_comm(group, rank, "transport=inproc topology=" + topology);
        std::vector<Item> items = make_items(comm.get(), 60);
        for (int round = 0; round < 3; ++round) shuffle_round(items, rank, ranks, round);
      });
    }
  }
}

TEST_CASE("lossy tensors in flight together end as they do one after the other") {
  constexpr int kRanks = 3;
  constexpr std::size_t kCount = 1200;
  const std::vector<std::string> codecs = lossy_codecs();
  ThreadGroup group(kRanks);
  run_ranks(kRanks, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    std::vector<std::vector<float>> alone;
    for (const bool together : {false, true}) {
      std::vector<Item> items;
      for (std::size_t c = 0; c < codecs.size(); ++c) {
        items.push_back({make_tensor(comm.get(), codecs[c], {30, 40}, codecs[c]), {}});
      }
      for (int call = 0; call < 2; ++call) {
        for (const std::size_t c : shuffled(codecs.size(), kSeed, together ? rank : 0, call)) {
          items[c].data = normal_values(kSeed, rank, static_cast<int>(c) + 100 * call, kCount);
          post(items[c]);
          if (!together) ok(goss_wait(&items[c].request), codecs[c]);
        }
        for (Item& item : items) ok(goss_wait(&item.request), "together");
      }
      for (std::size_t c = 0; c < codecs.size(); ++c) {
        if (!together) {
          alone.push_back(items[c].data);
        } else {
          expect(same_bits(alone[c], items[c].data), codecs[c], " differs");
        }
      }
    }
  });
}

TEST_CASE("goss_test says not yet while another rank is missing, and never blocks") {
  for (const std::string progress : {"thread", "polling"}) {
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc progress=" + progress);
      Item item{make_tensor(comm.get(), "w", {100}, "identity"), std::vector<float>(100)};
      fill(item, 0, rank);
      if (rank == 0) {
        post(item);
        for (int i = 0; i < 1000; ++i) {
          int done = 2;
          ok(goss_test(&item.request, &done), "goss_test");
          expect(done == 0 && item.request != nullptr, "done before the other rank came");
        }
      }
      group.barrier();
      if (rank == 1) post(item);
      ok(goss_wait(&item.request), "goss_wait");
      expect(item.request == nullptr, "goss_wait left a request");
      expect_sum(item, 0, 2);
    });
  }
}

TEST_CASE("NULL requests are done, and no request pointer is ARGUMENT") {
  goss_request* none = nullptr;
  CHECK(goss_wait(&none) == GOSS_OK);
  int done = 0;
  CHECK(goss_test(&none, &done) == GOSS_OK);
  CHECK(done == 1);
  goss_request* nones[3] = {nullptr, nullptr, nullptr};
  CHECK(goss_wait_all(3, nones) == GOSS_OK);
  CHECK(goss_wait_all(0, nullptr) == GOSS_OK);
  CHECK(goss_wait(nullptr) == GOSS_ERR_ARGUMENT);
  CHECK(goss_wait_all(2, nullptr) == GOSS_ERR_ARGUMENT);
  CHECK(goss_test(nullptr, &done) == GOSS_ERR_ARGUMENT);
  CHECK(goss_test(&none, nullptr) == GOSS_ERR_ARGUMENT);
}

TEST_CASE("goss_wait_all returns the first failure's status and words, and frees all requests") {
  ThreadGroup group(3);
  run_ranks(3, [&](int rank) {
    const CommHandle comm = make_comm(group, rank, "transport=inproc min_compress=0");
    std::vector<Item> items;
    for (const std::string name : {"good", "bad", "worse", "fine"}) {
      items.push_back({make_tensor(comm.get(), name, {200}, name == "good" ? "identity" : "int8"), {}});
      items.back().data.assign(200, 1.0F);
    }
    if (rank == 1) items[1].data[7] = std::nanf("");
    if (rank == 2) items[2].data[9] = std::nanf("");
    std::vector<goss_request*> requests = {nullptr};
    for (Item& item : items) {
      post(item);
      requests.push_back(item.request);
    }
    const goss_status status = goss_wait_all(static_cast<int>(requests.size()), requests.data());
    fails(status, GOSS_ERR_NUMERIC, {"'bad'", "rank 1"}, "goss_wait_all");
    for (const goss_request* request : requests) expect(request == nullptr, "a request is left");
    expect(items[0].data[0] == 3.0F, "the first call gives ", items[0].data[0]);
    expect(std::abs(items[3].data[0] - 3.0F) < 0.1F, "the last call gives ", items[3].data[0]);
    for (Item& item : items) {
      item.data.assign(200, 2.0F);
      ok(goss_allreduce(item.tensor.get(), item.data.data(), GOSS_SUM), "the next call");
    }
  });
}

TEST_CASE("while a call is in flight its tensor refuses everything else, and the call ends well") {
  for (const std::string progress : {"thread", "polling"}) {
    ThreadGroup group(2);
    run_ranks(2, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc progress=" + progress);
      Item item{make_tensor(comm.get(), "w", {100}, "identity"), std::vector<float>(100)};
      fill(item, 0, rank);
      post(item);
      goss_tensor* tensor = item.tensor.get();
      std::vector<float> other(100);
      goss_request* request = nullptr;
      std::size_t bytes = 0;
      goss_stats stats{};
      stats.struct_size = sizeof stats;
      const std::vector<std::string> words = {"'w'", "under way"};
      fails(goss_allreduce(tensor, other.data(), GOSS_SUM), GOSS_ERR_ARGUMENT, words, "all-reduce");
      fails(goss_iallreduce(tensor, other.data(), GOSS_SUM, &request), GOSS_ERR_ARGUMENT, words, "iallreduce");
      fails(goss_imix(tensor, other.data(), &request), GOSS_ERR_ARGUMENT, words, "imix");
      fails(goss_broadcast(tensor, other.data(), 0), GOSS_ERR_ARGUMENT, words, "broadcast");
      fails(goss_tensor_residual(tensor, other.data()), GOSS_ERR_ARGUMENT, words, "residual");
      fails(goss_tensor_save(tensor, nullptr, 0, &bytes), GOSS_ERR_ARGUMENT, words, "save");
      fails(goss_tensor_load(tensor, other.data(), 4), GOSS_ERR_ARGUMENT, words, "load");
      fails(goss_tensor_reset(tensor), GOSS_ERR_ARGUMENT, words, "reset");
      expect(request == nullptr && bytes == 0, "an output was set on failure");
      ok(goss_wait(&item.request), "goss_wait");
      expect_sum(item, 0, 2);
    });
  }
}

TEST_CASE("several threads of a rank use one communicator at once") {
  constexpr int kRanks = 3;
  constexpr int kThreads = 4;
  for (const std::string progress : {"thread", "polling"}) {
    ThreadGroup group(kRanks);
    run_ranks(kRanks, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc progress=" + progress);
      std::vector<std::string> failures(kThreads);
      std::vector<std::thread> threads;
      for (int number = 0; number < kThreads; ++number) {
        threads.emplace_back([&, number] {
          failures[static_cast<std::size_t>(number)] = detail::failure_of(
              [&](int thread) {
                const std::string name = "t" + std::to_string(thread);
                Item item{make_tensor(comm.get(), name, {500}, "identity"), std::vector<float>(500)};
                for (std::size_t call = 0; call < 20; ++call) {
                  fill(item, call + static_cast<std::size_t>(thread), rank);
                  post(item);
                  goss_stats stats{};
                  stats.struct_size = sizeof stats;
                  ok(goss_comm_stats(comm.get(), &stats), "goss_comm_stats");
                  expect(!describe(comm.get()).empty(), "no description");
                  ok(goss_wait(&item.request), name);
                  expect_sum(item, call + static_cast<std::size_t>(thread), kRanks);
                }
              },
              number);
        });
      }
      for (std::thread& thread : threads) thread.join();
      for (const std::string& failure : failures) expect(failure.empty(), failure);
      ok(goss_barrier(comm.get()), "barrier");
    });
  }
}

TEST_CASE("a tensor or a communicator can end right after its last call, whatever its peers still do") {
  for (int round = 0; round < 20; ++round) {
    ThreadGroup group(3);
    run_ranks(3, [&](int rank) {
      const CommHandle comm = make_comm(group, rank, "transport=inproc");
      Item item{make_tensor(comm.get(), "w", {3000}, "identity"), std::vector<float>(3000)};
      fill(item, 0, rank);
      post(item);
      goss_tensor_destroy(item.tensor.release());  // waits for the call
      expect_sum(item, 0, 3);
    });
  }
}

}  // namespace gossamer::test
