#include "tools/codecs.hpp"

#include <cstdio>

#include "compress/codec.hpp"
#include "tools/perf_input.hpp"

namespace gossamer::tools {
namespace {

/// As near to a square as the count allows: matrix codecs want one.
std::vector<std::size_t> nearly_square(std::size_t count) {
  std::size_t rows = 1;
  for (std::size_t divisor = 1; divisor * divisor <= count; ++divisor) {
    if (count % divisor == 0) rows = divisor;
  }
  return {rows, count / rows};
}

Subjects recorded(const CodecsOptions& options) {
  const std::vector<std::string>& paths = options.inputs;
  Subjects subjects;
  for (const std::string& path : paths) {
    subjects.ranks.push_back(read_recording(path));
    std::erase_if(subjects.ranks.back(), [&](const auto& tensor) { return tensor.values.size() < options.at_least; });
    const std::vector<Gradient>& first = subjects.ranks.front();
    const std::vector<Gradient>& last = subjects.ranks.back();
    bool same = first.size() == last.size();
    for (std::size_t i = 0; same && i < first.size(); ++i) {
      same = first[i].name == last[i].name && first[i].dims == last[i].dims;
    }
    if (!same) fail(Status::argument, path, " holds other tensors than ", paths.front());
  }
  if (subjects.count() == 0) fail(Status::argument, paths.front(), ": no tensor has ", options.at_least, " elements");
  subjects.origin = sentence(subjects.ranks.front().size(), " recorded tensors of ", subjects.count(),
                             " values together, of ", paths.size(), paths.size() == 1 ? " rank" : " ranks");
  return subjects;
}

std::vector<std::string> specs_of(const CodecsOptions& options) {
  if (!options.codecs.empty()) return options.codecs;
  std::vector<std::string> specs;
  for (const CodecEntry& entry : codecs()) specs.emplace_back(entry.name);
  return specs;
}

}  // namespace

Subjects normal_values(const CodecsOptions& options) {
  Gradient gradient{"normal", nearly_square(options.count), std::vector<float>(options.count)};
  const Inputs inputs{options.seed, GOSS_FLOAT32};
  inputs.fill(0, 0, std::as_writable_bytes(std::span(gradient.values)));
  const std::string origin = sentence(gradient.dims[0], " x ", gradient.dims[1], " normal values, seed ", options.seed);
  return {origin, true, {{std::move(gradient)}}};
}

std::uint64_t Subjects::count() const noexcept {
  std::uint64_t sum = 0;
  for (const Gradient& gradient : ranks.front()) sum += gradient.values.size();
  return sum;
}

int run_codecs(const CodecsOptions& options) {
  const std::vector<std::string> specs = specs_of(options);
  // A spelling mistake is told before anything is measured.
  for (const std::string& spec : specs) make_codec(spec, Shape{DType::float32, {64, 64}});
  const Subjects subjects = options.inputs.empty() ? normal_values(options) : recorded(options);
  std::vector<CodecRow> rows;
  bool broken = false;
  for (const std::string& spec : specs) {
    rows.push_back(measure_codec(spec, subjects, options));
    for (const std::string& each : rows.back().broken) std::fprintf(stderr, "gossamer: %s\n", each.c_str());
    broken = broken || !rows.back().broken.empty();
  }
  print_rows(options, subjects, rows);
  return broken ? 1 : 0;
}

}  // namespace gossamer::tools
