#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compress/codec.hpp"
#include "lib/base/error.hpp"
#include "tests/codec_bounds.hpp"
#include "tests/codec_bounds_dense.hpp"
#include "tests/codec_bounds_hybrid.hpp"
#include "tests/codec_bounds_integer.hpp"
#include "tests/codec_bounds_low_rank.hpp"
#include "tests/codec_bounds_sparse.hpp"

/// The table behind the suites of codecs: conformance, golden payloads, hostile bytes, laws. A new codec is one line in
/// codec_cases() or linear_cases() with the bound its paper gives, and one for each option that changes how it encodes;
/// every registry entry must be in one of them.
namespace gossamer {

/// What is wrong with `decoded`, the values that came back for elements [offset, offset + decoded.size()) of `tensor`;
/// empty when the codec's theory allows them.
using Bound = std::string (*)(std::span<const float> tensor, std::size_t offset, std::span<const float> decoded);

struct CodecCase {
  std::string spec;
  Bound bound;
};

inline const std::vector<CodecCase>& codec_cases() {
  static const std::vector<CodecCase> cases = {
      {"identity", bounds::exact},
      {"fp16", bounds::fp16},
      {"bf16", bounds::bf16},
      {"fp8", bounds::fp8_e4m3},
      {"fp8:format=e5m2", bounds::fp8_e5m2},
      {"int8", bounds::int8_nearest},
      {"int8:block=64,rounding=stochastic", bounds::int8_stochastic},
      {"natural", bounds::powers_of_two},
      {"natural:bits=8", bounds::upper_powers_of_two},
      {"efsign", bounds::mean_magnitude<0>},
      {"efsign:block=100", bounds::mean_magnitude<100>},
      {"onebit", bounds::two_means<0>},
      {"onebit:block=100", bounds::two_means<100>},
      {"3lc", bounds::zero_or_largest<100>},
      {"3lc:sparsity=1.75", bounds::zero_or_largest<175>},
      {"dettmers8", bounds::dynamic_tree<2048>},
      {"dettmers8:block=100", bounds::dynamic_tree<100>},
      {"inceptionn", bounds::within_bound<10>},
      {"inceptionn:bound=6", bounds::within_bound<6>},
      {"int8:reduce=integer", bounds::int8_integer},
      {"terngrad", bounds::ternary},
      {"qsgd", bounds::qsgd},
      {"qsgd:bits=8,bucket=100,norm=l2", bounds::qsgd_of_length},
      {"qsgd:bits=2,norm=l2", bounds::qsgd_of_one_level},
      {"qsgd:bits=3,bucket=0,coding=elias", bounds::qsgd_of_three_levels},
      {"natural_dithering", bounds::dithered_powers_of_two},
      {"lpc", bounds::clipped_lattice},
      {"thc", bounds::rotated_blocks},
      {"signsgd", bounds::signs},
      {"signum:momentum=0", bounds::signs},
      {"topk:ratio=0.01", bounds::one_percent_kept},
      {"topk:ratio=0.01,merge=reselect", bounds::one_percent_kept},
      {"topk:ratio=0.01,reduce=allgather", bounds::one_percent_kept},
      {"topk:ratio=1", bounds::exact},
      {"topk:ratio=0.05,values=int8,indices=golomb", bounds::some_kept_as_int8},
      {"threshold:v=0.5", bounds::kept_above_half},
      {"threshold:v=0.5,merge=reselect", bounds::kept_above_half},
      {"threshold:v=0", bounds::exact},
      {"aji:ratio=0.05", bounds::largest_kept},
      {"aji:ratio=0.05,merge=reselect", bounds::largest_kept},
      {"dgc:ratio=0.05,momentum=0", bounds::largest_kept},
      {"dgc:ratio=1,momentum=0", bounds::exact},
      {"sgc:ratio=0.01,momentum=0", bounds::one_percent_kept},
      {"topk:ratio=0.05,values=sign", bounds::kept_as_sign},
      {"topk:ratio=1,values=sign", bounds::kept_as_sign},
      {"topk:ratio=0.05,values=log4", bounds::kept_as_powers},
      {"stc:ratio=0.05", bounds::kept_as_sign},
      {"stc:ratio=0.05,merge=union,indices=raw", bounds::kept_as_sign},
      {"qsparse:ratio=0.05", bounds::kept_as_levels<7>},
      {"qsparse:ratio=0.3,levels=2,merge=reselect", bounds::kept_as_levels<2>},
      {"strom:tau=0.5", bounds::quanta_of_half},
      {"dryden:ratio=0.05", bounds::two_means},
      {"sketchml:ratio=0.05", bounds::shrunk},
      {"sketchml:ratio=0.4,buckets=64", bounds::shrunk},
      {"gtopk:ratio=0.01", bounds::one_percent_kept},
      {"oktopk:ratio=0.01", bounds::one_percent_kept},
      {"oktopk:ratio=0.05,values=int8", bounds::some_kept_as_int8},
      {"variance", bounds::exact},  // nothing is known yet that would keep a value back
      {"variance:values=log4", bounds::kept_as_powers},
      {"wangni:ratio=0.05", bounds::kept_or_raised},
      {"wangni:ratio=0.4,merge=reselect", bounds::kept_or_raised},
      {"lowrank:rank=2", bounds::projected},
      {"atomo", bounds::atoms_of_five_percent},
      {"atomo:budget=0.3,basis=svd", bounds::triplets},
  };
  return cases;
}

struct LinearCase {
  std::string spec;
  /// Largest allowed ‖sum − reconstruction‖ / ‖sum‖ after one call from a new object.
  double relative_error;
};

inline const std::vector<LinearCase>& linear_cases() {
  // One step of subspace iteration is an orthogonal projection: it never adds error.
  static const std::vector<LinearCase> cases = {
      {"powersgd:rank=1", 1.0001},
      {"powersgd:rank=2,wire=fp16", 1.01},
      // Dropped or exact; scaled by at most 35 / 8, what is kept is too large by 27 / 8 of itself.
      {"randomk:ratio=0.25", 1.0},
      {"randomk:ratio=0.25,scaled=on,ef=on", 27.0 / 8},
      {"randomk:ratio=0.6,wire=bf16", 1.01},
      {"randomblock:ratio=0.25", 1.0},
      // A sum is dropped or exact.
      {"sketch:k=20,columns=64", 1.0},
      {"powersgd:rank=2,iterations=3", 1.0001},
      {"powersgd:rank=2,half=on", 1.0001},
      {"powersgd:rank=2,plus=3,iterations=2", 1e-6},
      // A ridge shrinks what the projection keeps.
      {"gradzip:rank=2", 1.0001},
      // The first call exchanges the tensor as it is.
      {"gradiveq:slice=16,dims=2,refresh=3", 1e-6},
  };
  return cases;
}

/// Every spec of both tables, with error feedback, which the law of conservation needs.
inline std::vector<std::string> law_specs() {
  std::vector<std::string> specs;
  const auto add = [&](const std::string& spec) {
    const bool given = Spec::parse(spec).values.contains("ef");
    specs.push_back(given ? spec : spec + (spec.find(':') == std::string::npos ? ":ef=on" : ",ef=on"));
  };
  for (const CodecCase& codec : codec_cases()) add(codec.spec);
  for (const LinearCase& codec : linear_cases()) add(codec.spec);
  return specs;
}

/// Named inputs that every codec meets.
inline constexpr std::string_view kPatterns[] = {"normal", "zeros", "one value", "constant",
                                                 "tiny",   "huge",  "wide range"};

inline std::vector<float> make_input(std::string_view pattern, std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count, 0.0F);
  for (std::size_t i = 0; i < count; ++i) {
    const float draw = normal(random);
    if (pattern == "normal") values[i] = draw;
    if (pattern == "constant") values[i] = -0.37F;
    if (pattern == "tiny") values[i] = draw * 1e-40F;
    if (pattern == "huge") values[i] = draw * 1e30F;
    if (pattern == "wide range") values[i] = std::ldexp(draw, static_cast<int>(random() % 200) - 120);
  }
  if (pattern == "one value" && count > 0) values[count / 2] = 3.25F;
  return values;
}

inline constexpr std::size_t kCounts[] = {0, 1, 2, 63, 64, 65, 319, 321, 1009, 100003};

inline Chunk chunk_of(std::span<float> values, std::size_t offset = 0) {
  return {reinterpret_cast<std::byte*>(values.data()), values.size(), offset};
}

/// A tensor of `count` floats: of one dimension, or a matrix of 32 columns, the last row possibly incomplete, for
/// codecs that need one.
inline Shape shape_for(const std::string& spec, std::size_t count) {
  const std::string name = Spec::parse(spec).name;
  const auto entry = std::ranges::find(codecs(), name, &CodecEntry::name);
  constexpr std::size_t kColumns = 32;
  if (entry == codecs().end() || !entry->needs_matrix) return {DType::float32, {count}};
  return {DType::float32, {(count + kColumns - 1) / kColumns, kColumns}};
}

/// One rank's codec object for a float tensor of shape_for(), after begin().
class Subject {
 public:
  Subject(const std::string& spec, std::vector<float> values, std::uint32_t rank = 0) : values_(std::move(values)) {
    CodecChoice choice = make_codec(spec, shape_for(spec, values_.size()));
    codec_.reset(dynamic_cast<Codec*>(choice.codec.get()));
    if (codec_ == nullptr) fail(Status::internal, spec, " is not a Codec");
    static_cast<void>(choice.codec.release());
    begin(rank);
  }

  void begin(std::uint32_t rank, std::uint32_t call = 1) {
    StepContext context;
    context.shared = {42, call, 0};
    context.own = {42, call, rank + 1};
    codec_->begin(chunk_of(values_), context);
  }
  Codec& codec() { return *codec_; }
  [[nodiscard]] MergeableCodec* mergeable() { return dynamic_cast<MergeableCodec*>(codec_.get()); }
  [[nodiscard]] std::vector<float>& values() { return values_; }

  std::vector<std::byte> encode(std::size_t offset, std::size_t count) {
    // Exactly max_payload bytes, so that a sanitizer sees any overrun.
    std::vector<std::byte> slot(codec_->max_payload(count));
    const Bytes payload = codec_->encode(chunk_of(std::span(values_).subspan(offset, count), offset), slot);
    return {payload.begin(), payload.end()};
  }
  std::vector<std::byte> encode() { return encode(0, values_.size()); }

  [[nodiscard]] std::vector<float> decode(Bytes payload, std::size_t count) const {
    std::vector<float> out(count, 0.0F);
    codec_->accumulate(payload, 1.0F, chunk_of(out));
    return out;
  }

  std::vector<std::byte> merge(Bytes a, Bytes b) {
    std::vector<std::byte> slot(codec_->max_payload(values_.size()));
    const Bytes payload = mergeable()->merge(a, b, values_.size(), slot);
    return {payload.begin(), payload.end()};
  }

 private:
  std::vector<float> values_;
  std::unique_ptr<Codec> codec_;
};

/// Gives all subjects the maximum over them, as an all-reduce of maxima does.
inline void share_maxima(std::span<Subject> subjects) {
  std::vector<float> largest;
  for (int pass = 0; pass < 2; ++pass) {
    for (Subject& subject : subjects) {
      auto* shared = dynamic_cast<SharedMaxima*>(&subject.codec());
      if (shared == nullptr) return;
      const std::span<float> maxima = shared->maxima();
      largest.resize(maxima.size(), 0.0F);
      for (std::size_t i = 0; i < maxima.size(); ++i) {
        if (pass == 0) largest[i] = std::max(largest[i], maxima[i]);
        if (pass == 1) maxima[i] = largest[i];
      }
    }
  }
}

}  // namespace gossamer
