#include "lib/config.hpp"

#include <array>
#include <cctype>
#include <cstdlib>

namespace gossamer {
namespace {

constexpr std::array kKeys = {
    Key{"topology", "ring", "who exchanges with whom, e.g. torus:4x8"},
    Key{"weights", "auto",
        "of the edges in a gossip round: auto, metropolis, uniform, out-uniform, max-degree, laplacian, lazy, given"},
    Key{"codec", "identity", "codec of tensors that name none, e.g. topk:ratio=0.01"},
    Key{"mixing", "average", "what goss_mix does with the neighbours' models, e.g. choco:gamma=auto"},
    Key{"every", "1", "calls of goss_mix for one exchange; in the others nothing is sent"},
    Key{"every_from", "0", "calls of goss_mix that all exchange before every= counts (post-local)"},
    Key{"staleness", "none",
        "pushes by which a rank may be ahead of those whose messages it receives: goss_pull waits for them; an integer "
        "from 0, or none"},
    Key{"outer", "none", "optimiser whose steps are exchanges: none, slowmo, bmuf, nesterov, e.g. slowmo:beta=0.5"},
    Key{"transport", "ucx", "ucx for processes, inproc for ranks that are threads of one process"},
    Key{"timeout", "30", "seconds without an answer from a peer after which a call fails"},
    Key{"on_failure", "fail",
        "fail: a rank's death ends the communicator; continue: goss_mix, goss_push and goss_pull go on among the "
        "others"},
    Key{"seed", "0", "of stochastic rounding, random indices, warm starts and random graphs; an integer from 0"},
    Key{"progress", "thread", "thread: calls advance by themselves; polling: only inside goss_ calls"},
    Key{"nonfinite", "error",
        "NaN or Inf in the input: error refuses the call on every rank, pass lets uncompressed tensors carry it"},
    Key{"min_compress", "1024", "elements below which a tensor stays uncompressed"},
    Key{"granularity", "tensor",
        "what a lossy codec takes as one input: tensor, or model: all tensors with the same codec that were registered "
        "before the first call on one of them; their calls end together"},
    Key{"log", "warn", "what goes to stderr: error, warn, info, debug"},
    Key{"trace", "",
        "file for a timeline of all calls, one per rank (FILE.RANK.json, Chrome trace format); empty: none"},
    Key{"interface", "", "network device to use, e.g. eth0; empty: UCX's choice"},
};

/// `key=value` words, separated by white space.
Spec parse_words(std::string_view text) {
  Spec spec;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t start = text.find_first_not_of(" \t\r\n", at);
    if (start == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", start), text.size());
    const std::string_view word = text.substr(start, end - start);
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      fail(Status::argument, "configuration: '", word, "' is not of the form key=value");
    }
    if (!spec.values.emplace(word.substr(0, equals), word.substr(equals + 1)).second) {
      fail(Status::argument, "configuration gives ", word.substr(0, equals), " twice");
    }
    at = end;
  }
  return spec;
}

void override_from_environment(Spec& spec) {
  for (const Key& key : kKeys) {
    std::string variable = "GOSSAMER_";
    for (const char letter : key.name) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    if (const char* value = std::getenv(variable.c_str())) spec.values[std::string(key.name)] = value;
  }
}

}  // namespace

std::span<const Key> config_keys() noexcept {
  return kKeys;
}

Config Config::parse(std::string_view text) {
  Spec spec = parse_words(text);
  override_from_environment(spec);
  const Options options("configuration", spec, kKeys);
  Config config;
  config.topology = options.text("topology");
  config.weights = options.text("weights");
  config.codec = options.text("codec");
  config.mixing = options.text("mixing");
  config.every = static_cast<std::uint64_t>(options.integer("every", 1, INT64_MAX));
  config.every_from = static_cast<std::uint64_t>(options.integer("every_from", 0, INT64_MAX));
  if (options.text("staleness") != "none")
    config.staleness = static_cast<std::uint64_t>(options.integer("staleness", 0, INT64_MAX));
  config.outer = options.text("outer");
  config.transport = options.text("transport");
  config.timeout_seconds = options.real_above("timeout", 0, 1e6);
  config.survives = options.choice("on_failure", {"fail", "continue"}) == 1;
  config.seed = static_cast<std::uint64_t>(options.integer("seed", 0, INT64_MAX));
  config.progress_thread = options.choice("progress", {"thread", "polling"}) == 0;
  config.nonfinite_is_error = options.choice("nonfinite", {"error", "pass"}) == 0;
  config.min_compress = static_cast<std::size_t>(options.integer("min_compress", 0, INT64_MAX));
  config.whole_model = options.choice("granularity", {"tensor", "model"}) == 1;
  config.log = static_cast<LogLevel>(options.choice("log", {"error", "warn", "info", "debug"}));
  config.trace = options.text("trace");
  config.interface = options.text("interface");
  return config;
}

std::string Config::common() const {
  return sentence("topology=", topology, " weights=", weights, " mixing=", mixing, " every=", every,
                  " every_from=", every_from, " staleness=", staleness ? std::to_string(*staleness) : "none",
                  " outer=", outer, " codec=", codec, " transport=", transport,
                  " on_failure=", survives ? "continue" : "fail", " seed=", seed,
                  " nonfinite=", nonfinite_is_error ? "error" : "pass", " min_compress=", min_compress,
                  " granularity=", whole_model ? "model" : "tensor");
}

}  // namespace gossamer
