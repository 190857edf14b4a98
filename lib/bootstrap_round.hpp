#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/error.hpp"
#include "lib/bootstrap.hpp"

namespace gossamer {

/// Every round of the bootstrap carries how far each rank came, so that all ranks fail together and know why.
struct Report {
  std::int32_t status = 0;
  std::array<char, 480> sentence{};

  static Report of(const Error& error) {
    Report report;
    report.status = static_cast<std::int32_t>(error.status());
    std::string_view(error.what())
        .substr(0, report.sentence.size() - 1)
        .copy(report.sentence.data(), report.sentence.size() - 1);
    return report;
  }
};

/// Whose failure to throw: a rank's own, or else the first; but running out of patience is only the consequence of what
/// somebody else has to say. Nothing: no rank failed.
std::optional<std::size_t> cause_of(const std::vector<Report>& reports, std::size_t own);

/// All-gathers what `work` makes of this rank, or its failure; throws on all ranks when there is one.
template <typename Message, typename Work>
std::vector<Message> round(Bootstrap& bootstrap, Work&& work) {
  struct Envelope {
    Report report;
    Message message;
  };
  Envelope mine{};
  std::exception_ptr own_error;
  try {
    work(mine.message);
  } catch (const Error& error) {
    mine.report = Report::of(error);
    own_error = std::current_exception();
  }
  const std::vector<std::byte> all = bootstrap.allgather(std::as_bytes(std::span(&mine, 1)));
  std::vector<Message> messages;
  std::vector<Report> reports;
  for (std::size_t rank = 0; rank * sizeof(Envelope) < all.size(); ++rank) {
    Envelope theirs;
    std::memcpy(&theirs, all.data() + rank * sizeof(Envelope), sizeof(Envelope));
    reports.push_back(theirs.report);
    messages.push_back(theirs.message);
  }
  const auto own = static_cast<std::size_t>(bootstrap.rank());
  if (const std::optional<std::size_t> rank = cause_of(reports, own)) {
    if (*rank == own) std::rethrow_exception(own_error);
    fail(static_cast<Status>(reports[*rank].status), "rank ", *rank, ": ", reports[*rank].sentence.data());
  }
  return messages;
}

/// For rounds in which ranks only say whether they succeeded.
struct Nothing {};

/// All-gathers blobs of any sizes; by rank.
std::vector<std::vector<std::byte>> gather_blobs(Bootstrap& bootstrap, Bytes mine);

}  // namespace gossamer
