#include "lib/base/log.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace gossamer {
namespace {

/// Where a test's log lines go; small enough to fit the pipe.
struct Pipe {
  Pipe() { REQUIRE(pipe(ends) == 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  std::string contents() {
    std::string text(60'000, '\0');
    REQUIRE(write(ends[1], "", 1) == 1);  // so that reading never blocks
    const ssize_t count = read(ends[0], text.data(), text.size());
    REQUIRE(count > 0);
    text.resize(static_cast<std::size_t>(count) - 1);
    return text;
  }
  int ends[2] = {};
};

TEST_CASE("a log prints its level and what is graver, with rank and level") {
  Pipe pipe;
  const Log log(3, LogLevel::info, pipe.ends[1]);
  log.error("e", 1);
  log.warn("w");
  log.info("i ", 2.5);
  log.debug("d");
  CHECK(pipe.contents() == "gossamer[3] error: e1\ngossamer[3] warn: w\ngossamer[3] info: i 2.5\n");
}

struct Counting {
  int* count;
};
std::ostream& operator<<(std::ostream& out, const Counting& value) {
  ++*value.count;
  return out;
}

TEST_CASE("what is above the level is not even formatted") {
  Pipe pipe;
  int formatted = 0;
  const Log log(0, LogLevel::warn, pipe.ends[1]);
  log.debug(Counting{&formatted});
  CHECK(formatted == 0);
  log.warn(Counting{&formatted});
  CHECK(formatted == 1);
}

TEST_CASE("lines of several threads stay whole") {
  Pipe pipe;
  const Log log(0, LogLevel::debug, pipe.ends[1]);
  constexpr int threads = 4;
  constexpr int lines = 100;
  const std::string filler(60, 'x');
  std::vector<std::thread> writers;
  for (int thread = 0; thread < threads; ++thread) {
    writers.emplace_back([&] {
      for (int line = 0; line < lines; ++line) log.debug(filler);
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string text = pipe.contents();
  const std::string one = "gossamer[0] debug: " + filler + "\n";
  std::string expected;
  for (int i = 0; i < threads * lines; ++i) expected += one;
  CHECK(text == expected);
}

}  // namespace
}  // namespace gossamer
