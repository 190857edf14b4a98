#pragma once

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "lib/base/error.hpp"

namespace gossamer {

/// What a rank says of the call it is about to make.
struct Intent {
  enum Kind : std::uint32_t { all_reduce, broadcast, group_mean };

  std::int32_t rank = 0;
  std::uint32_t kind = all_reduce;
  std::int32_t detail = 0;  ///< the op and twice the tensor's identity, the root, or the round
  std::uint32_t finite = 1;

  [[nodiscard]] bool same_call(const Intent& other) const noexcept {
    return kind == other.kind && detail == other.detail;
  }
  [[nodiscard]] std::string describe() const {
    constexpr std::string_view kinds[] = {"all-reduce", "broadcast", "gossip"};
    const std::string_view name = kind < std::size(kinds) ? kinds[kind] : "an unknown call";
    if (kind == all_reduce) return sentence(name, detail % 2 == 0 ? " (sum)" : " (mean)", set());
    if (kind == group_mean) return sentence(name, ", round ", detail);
    return kind == broadcast ? sentence(name, " from rank ", detail) : std::string(name);
  }

 private:
  /// Of a model that several tensors make up.
  [[nodiscard]] std::string set() const { return detail < 2 ? "" : sentence(" of the set of tensors ", detail / 2); }
};

}  // namespace gossamer
