#include "topology/shape.hpp"

#include <charconv>
#include <climits>

#include "lib/base/error.hpp"

namespace gossamer {
namespace {

// The numbers of "4x8x2", each from 1 to INT_MAX; none when the text is anything else.
std::vector<std::size_t> factors_of(std::string_view text) {
  std::vector<std::size_t> factors;
  while (true) {
    const std::string_view number = text.substr(0, text.find('x'));
    int factor = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), factor);
    if (error != std::errc() || end != number.data() + number.size() || factor < 1) return {};
    factors.push_back(static_cast<std::size_t>(factor));
    if (number.size() == text.size()) return factors;
    text.remove_prefix(number.size() + 1);
  }
}

}  // namespace

std::vector<std::size_t> shape_of(const Options& options, const Layout& layout, std::string_view name,
                                  std::string_view form) {
  const std::vector<std::size_t> factors =
      options.items().size() == 1 ? factors_of(options.items().front()) : std::vector<std::size_t>();
  if (factors.size() < 2) {
    fail(Status::argument, "'", layout.spec, "' is not a ", name, "; write ", form,
         " with whole numbers from 1, such as ", name, ":4x8");
  }
  std::size_t places = 1;
  for (const std::size_t factor : factors) {
    if (places > INT_MAX / factor) {
      fail(Status::argument, layout.spec, " has more than ", INT_MAX, " places but there are ", layout.size, " ranks");
    }
    places *= factor;
  }
  if (places != layout.size) {
    fail(Status::argument, layout.spec, " has ", places, " places but there are ", layout.size, " ranks");
  }
  return factors;
}

std::vector<std::vector<std::size_t>> shapes(std::size_t number, std::size_t parts) {
  if (number < 2) return {};
  if (parts == 1) return {{number}};
  std::vector<std::vector<std::size_t>> found;
  for (std::size_t first = 2; first <= number / 2; ++first) {
    if (number % first != 0) continue;
    for (std::vector<std::size_t>& shape : shapes(number / first, parts - 1)) {
      shape.insert(shape.begin(), first);
      found.push_back(std::move(shape));
    }
  }
  return found;
}

std::vector<std::size_t> prime_factors(std::size_t number) {
  std::vector<std::size_t> factors;
  for (std::size_t prime = 2; prime * prime <= number; ++prime) {
    for (; number % prime == 0; number /= prime) factors.push_back(prime);
  }
  if (number > 1) factors.push_back(number);
  return factors;
}

}  // namespace gossamer
