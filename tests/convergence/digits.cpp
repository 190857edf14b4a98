#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "gossamer/gossamer.h"
#include "lib/base/error.hpp"
#include "tests/convergence/report.hpp"
#include "tests/convergence/statistics.hpp"

/// Whether models learn under every codec of the library as they do without compression. See docs/convergence.md.
namespace gossamer::convergence {
namespace {

struct Arguments {
  bool markdown = false;
  std::vector<std::string> codecs;  ///< empty: all
};

std::vector<std::string> registry() {
  std::vector<std::string> names;
  for (int i = 0; goss_codec_name(i) != nullptr; ++i) names.emplace_back(goss_codec_name(i));
  return names;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> forgotten(const std::vector<std::string>& names) {
  std::vector<std::string> complaints;
  for (const std::string& name : names) {
    const auto found =
        std::any_of(methods().begin(), methods().end(), [&](const auto& m) { return m.codec() == name; });
    if (!found) complaints.push_back("codec '" + name + "' has no line in tests/convergence/methods.cpp");
  }
  return complaints;
}

/// The reference for a kind of momentum: a codec's own takes the place of the optimiser's.
class Dense {
 public:
  explicit Dense(const Digits& digits) : digits_(digits) {}
  const Outcome& of(Momentum momentum) {
    const Momentum kind = momentum == Momentum::none ? Momentum::none : Momentum::optimiser;
    auto place = outcomes_.find(kind);
    if (place == outcomes_.end()) place = outcomes_.emplace(kind, train({"identity", kind}, digits_)).first;
    return place->second;
  }

 private:
  const Digits& digits_;
  std::map<Momentum, Outcome> outcomes_;
};

Recipe recipe_of(const Method& method) {
  Recipe recipe{std::string(method.spec), method.momentum, method.rate, method.inverted};
  // An inverted rank takes away the vote of another one, and the others take that many more steps to say as much.
  recipe.epochs = recipe.epochs * kRanks / (kRanks - 2 * method.inverted);
  return recipe;
}

std::vector<Result> run(const std::vector<const Method*>& chosen, const Digits& digits) {
  Dense dense(digits);
  std::vector<Result> results;
  for (const Method* method : chosen) {
    const Outcome& reference = dense.of(method->momentum);
    Result result{method, {}, 0, 0};
    result.outcome = method->codec() == "identity" ? reference : train(recipe_of(*method), digits);
    result.ratio = reference.wire_bytes / result.outcome.wire_bytes;
    result.gap = mean(reference.accuracy) - mean(result.outcome.accuracy);
    results.push_back(std::move(result));
  }
  return results;
}

const Result* find(const std::vector<Result>& results, std::string_view spec) {
  const auto place =
      std::find_if(results.begin(), results.end(), [&](const auto& r) { return r.method->spec == spec; });
  return place == results.end() ? nullptr : &*place;
}

std::vector<std::string> judge(const std::vector<Result>& results) {
  std::vector<std::string> complaints;
  for (const Result& result : results) {
    if (result.gap <= result.method->gap) continue;
    complaints.push_back(sentence(result.method->label(), " loses ", result.gap, " points against dense; it may lose ",
                                  result.method->gap, ": ", result.method->reason));
  }
  for (const Order& order : orders()) {
    const Result* worse = find(results, order.worse);
    const Result* better = find(results, order.better);
    if (worse == nullptr || better == nullptr) continue;
    const double lead = mean(better->outcome.accuracy) - mean(worse->outcome.accuracy);
    if (lead >= order.points) continue;
    complaints.push_back(sentence(order.better, " is ", lead, " points better than ", order.worse,
                                  "; expected at least ", order.points, ": ", order.reason));
  }
  return complaints;
}

int report(const std::vector<std::string>& complaints) {
  for (const std::string& each : complaints) std::fprintf(stderr, "digits: %s\n", each.c_str());
  return complaints.empty() ? 0 : 1;
}

int run(const Arguments& arguments) {
  const std::vector<std::string> names = registry();
  std::vector<std::string> complaints = forgotten(names);
  for (const std::string& name : arguments.codecs) {
    if (!contains(names, name)) complaints.push_back("there is no codec '" + name + "'; gossamer info lists them");
  }
  std::vector<const Method*> chosen;
  for (const Method& method : methods()) {
    const bool wanted = arguments.codecs.empty() || contains(arguments.codecs, method.codec());
    if (wanted) chosen.push_back(&method);
  }
  if (!complaints.empty()) return report(complaints);
  const auto digits = load_digits(kDigitsFile, kRanks);
  if (!digits) {
    std::printf("skipped: %s is missing; Debian's package python3-sklearn has it\n", kDigitsFile);
    return kSkipped;
  }
  const std::vector<Result> results = run(chosen, *digits);
  print(results, arguments.markdown);
  return report(judge(results));
}

}  // namespace
}  // namespace gossamer::convergence

int main(int argc, char** argv) {
  gossamer::convergence::Arguments arguments;
  for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
    if (argument == "--markdown") {
      arguments.markdown = true;
    } else if (argument.starts_with("-")) {
      std::printf("usage: convergence_digits [--markdown] [CODEC…]\nWithout names: every codec of the library.\n");
      return argument == "--help" || argument == "-h" ? 0 : 2;
    } else {
      arguments.codecs.push_back(argument);
    }
  }
  try {
    return gossamer::convergence::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 1;
  }
}
