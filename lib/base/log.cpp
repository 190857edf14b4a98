#include "lib/base/log.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace gossamer {

void Log::write(LogLevel level, std::string_view text) const {
  constexpr std::array<std::string_view, 4> names = {"error", "warn", "info", "debug"};
  const std::string line = sentence("gossamer[", rank_, "] ", names[static_cast<std::size_t>(level)], ": ", text, "\n");
  std::string_view rest = line;
  const int caller_errno = errno;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      break;  // a log that cannot be written is no reason to fail the work it tells of
    }
  }
  errno = caller_errno;
}

}  // namespace gossamer
