#include "lib/trace.hpp"

#include <cerrno>
#include <cstring>

namespace gossamer {
namespace {

/// Names come from the caller: quotes, backslashes and control characters must not end the string.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
  }
  return out;
}

}  // namespace

Trace::Trace(const std::string& file, int rank) : rank_(rank) {
  const std::string path = sentence(file, ".", rank, ".json");
  file_.reset(std::fopen(path.c_str(), "w"));
  if (!file_) fail(Status::system, "trace=", file, ": cannot write ", path, ": ", std::strerror(errno));
  std::fputs("[\n", file_.get());
}

Trace::~Trace() {
  std::fputs("\n]\n", file_.get());
}

void Trace::call(const char* operation, const Call& call, Clock::time_point start) {
  const double from = Seconds(start - origin_).count() * 1e6;
  const double duration = seconds_since(start) * 1e6;
  std::lock_guard lock(mutex_);
  std::fprintf(
      file_.get(),
      "%s{\"name\":\"%s %s\",\"ph\":\"X\",\"pid\":%d,\"tid\":0,\"ts\":%.1f,\"dur\":%.1f,\"args\":{\"bytes_sent\":%llu,"
      "\"bytes_received\":%llu,\"encode_us\":%.1f,\"reduce_us\":%.1f,\"decode_us\":%.1f}}",
      std::exchange(first_, false) ? "" : ",\n", operation, escaped(call.name()).c_str(), rank_, from, duration,
      static_cast<unsigned long long>(call.traffic.sent), static_cast<unsigned long long>(call.traffic.received),
      call.time.encode * 1e6, call.time.reduce * 1e6, call.time.decode * 1e6);
}

}  // namespace gossamer
