#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "tools/codecs.hpp"
#include "tools/info.hpp"
#include "tools/perf.hpp"
#include "tools/topology.hpp"

namespace gossamer::tools {
namespace {

void add_sizes(CLI::App& app, PerfOptions& options) {
  const CLI::AsSizeValue as_size(false);
  app.add_option("-b,--begin", options.begin_bytes, "smallest size in bytes per rank; K, M, G are 1024's powers")
      ->transform(as_size)
      ->group("Sizes");
  app.add_option("-e,--end", options.end_bytes, "largest size in bytes per rank")->transform(as_size)->group("Sizes");
  app.add_option("-f,--factor", options.factor, "from one size to the next")
      ->check(CLI::Range(2, 1024))
      ->group("Sizes");
  app.add_option("--tensors", options.tensors,
                 "instead of one tensor of each size: all gradients of a model in flight at once")
      ->check(CLI::IsMember({"resnet50"}))
      ->group("Sizes");
}

void add_subject(CLI::App& app, PerfOptions& options) {
  app.add_option("-c,--codec", options.codec, "codec spec, e.g. topk:ratio=0.01")->group("What is timed");
  app.add_option("-t,--topology", options.topology, "topology spec, e.g. torus:2x2")->group("What is timed");
  app.add_option("--transport", options.transport, "ucx or inproc")->group("What is timed");
  app.add_option("--config", options.config, "more configuration, as \"key=value key=value\"")->group("What is timed");
  const std::map<std::string, goss_dtype> dtypes = {
      {"float32", GOSS_FLOAT32}, {"float64", GOSS_FLOAT64}, {"float16", GOSS_FLOAT16}, {"bfloat16", GOSS_BFLOAT16}};
  app.add_option("-d,--dtype", options.dtype, "element type")
      ->transform(CLI::CheckedTransformer(dtypes))
      ->default_str("float32")
      ->group("What is timed");
  const std::map<std::string, PerfOp> ops = {
      {"sum", PerfOp::sum}, {"mean", PerfOp::mean}, {"mix", PerfOp::mix}, {"push", PerfOp::push}};
  app.add_option("-o,--op", options.op,
                 "all-reduces that sum or take the mean; or gossip: mix, a round, beside the time that plain messages "
                 "of the same bytes take to and from the neighbours; push, a push and a pull")
      ->transform(CLI::CheckedTransformer(ops))
      ->default_str("sum")
      ->group("What is timed");
  app.add_option("--seed", options.seed, "of the inputs")->group("What is timed");
}

void add_run(CLI::App& app, PerfOptions& options) {
  app.add_option("-n,--iterations", options.iterations, "timed calls per size")
      ->check(CLI::Range(1, 1000000))
      ->group("Run");
  app.add_option("-w,--warmup", options.warmup, "calls before those")->check(CLI::Range(0, 1000000))->group("Run");
  auto* ranks = app.add_option("--ranks", options.ranks, "start this many processes here, without mpirun")
                    ->check(CLI::Range(1, 512))
                    ->group("Run");
  auto* inproc = app.add_option("--inproc", options.inproc, "ranks as this many threads of one process")
                     ->check(CLI::Range(1, 512))
                     ->group("Run");
  auto* against = app.add_option("--against", options.against,
                                 "alternate with MPI_Allreduce of the mpirun that started this, and print the ratio")
                      ->check(CLI::IsMember({"mpi"}))
                      ->group("Run");
  inproc->excludes(ranks)->excludes(against);
  ranks->excludes(against);
  app.add_flag(
         "--check", options.check,
         "exit with 1 when ranks disagree, mass is lost or an error is above the codec's bound; of gossip, when a "
         "round is not one of the mixing matrix or does not keep the sum")
      ->group("Run");
  auto* explain = app.add_flag("--explain", options.explain,
                               "before each size: the ways in which this codec's payloads can be reduced, with the "
                               "bytes predicted and measured for each, and the one that reduce=auto takes")
                      ->group("Run");
  auto* json =
      app.add_flag("--json", options.json, "one JSON object instead of the table")->excludes(explain)->group("Run");
  auto* slow = app.add_option("--slow", options.slow,
                              "instead of times: how many steps a second the others make while rank 0 works so many "
                              "times longer, beside how many they make when it does not, in turn")
                   ->check(CLI::Range(1.0, 1e6))
                   ->excludes(json)
                   ->excludes(explain)
                   ->group("Run");
  app.add_option("--work", options.work_seconds, "seconds that a rank sleeps before each of those steps")
      ->check(CLI::Range(1e-6, 60.0))
      ->needs(slow)
      ->group("Run");
}

void add_info(CLI::App& app, InfoOptions& options) {
  auto* json = app.add_flag("--json", options.json, "one JSON object instead of text");
  auto* topology =
      app.add_option("-t,--topology", options.topology,
                     "instead: make a communicator of this topology, as mpirun, torchrun's environment, --ranks or "
                     "--inproc say, and show what it is, what it measured and why it was chosen, e.g. auto")
          ->type_name("SPEC")
          ->excludes(json);
  app.add_option("--config", options.config, "its further configuration, as \"key=value key=value\"")->needs(topology);
  auto* ranks = app.add_option("--ranks", options.ranks, "start this many processes here, without mpirun")
                    ->check(CLI::Range(1, 512))
                    ->needs(topology);
  app.add_option("--inproc", options.inproc, "ranks as this many threads of one process")
      ->check(CLI::Range(1, 512))
      ->needs(topology)
      ->excludes(ranks);
}

void add_codecs(CLI::App& app, CodecsOptions& options) {
  app.add_option("-c,--codec", options.codecs,
                 "codec spec, e.g. topk:ratio=0.01; may be repeated. Without it: all, each with its defaults")
      ->allow_extra_args(false);
  auto* input = app.add_option("-i,--input", options.inputs,
                               "gradients that lammps_surrogate --record wrote; repeat it for more ranks")
                    ->allow_extra_args(false)
                    ->type_name("FILE");
  app.add_option("--at-least", options.at_least, "elements of a recorded tensor; smaller ones are left out")
      ->needs(input);
  app.add_option("--count", options.count,
                 "instead of --input: so many normal values, as a matrix; K, M, G are 1024's powers")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32U))
      ->excludes(input);
  app.add_option("--ranks", options.ranks, "of the ring for which the ratio of bytes sent is predicted")
      ->check(CLI::Range(1, 65536));
  app.add_option("--seed", options.seed, "of the normal values");
  auto* markdown = app.add_flag("--markdown", options.markdown, "a Markdown table");
  app.add_flag("--json", options.json, "one JSON object instead of the table")->excludes(markdown);
}

void add_graph(CLI::App& app, TopologyOptions& options) {
  app.add_option("spec", options.spec, "topology spec, e.g. base:k=1")->type_name("SPEC");
  app.add_option("-n,--ranks", options.ranks, "how many there are")->check(CLI::Range(1, 65536));
  app.add_option("--hosts", options.hosts, "that the ranks run on, spread evenly")->check(CLI::Range(1, 65536));
  app.add_option("--weights", options.weights, "rule for the weights of the edges, e.g. metropolis");
  app.add_option("--seed", options.seed, "of graphs that are drawn at random");
  app.add_option("--svg", options.svg, "draw the graph into this file; needs Graphviz")->type_name("FILE");
  app.add_option("--dot", options.dot, "write the graph in Graphviz's language")->type_name("FILE");
  app.add_option("--layout", options.layout, "Graphviz's program; by default circo, or fdp for several hosts")
      ->check(CLI::IsMember({"dot", "neato", "fdp", "sfdp", "circo", "twopi"}));
}

void add_topology(CLI::App& app, TopologyOptions& options) {
  add_graph(app, options);
  app.add_option("--compare", options.compare, "several specs, or all: by predicted time, best first")
      ->type_name("SPEC");
  auto* bytes = app.add_option("-b,--bytes", options.bytes, "of a payload; K, M, G are 1024's powers; 0: see --count")
                    ->transform(CLI::AsSizeValue(false));
  app.add_option("--count", options.count, "values in a tensor; K, M, G are 1024's powers")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 28U))
      ->excludes(bytes);
  app.add_option("-c,--codec", options.codec, "that makes a payload of them, e.g. topk:ratio=0.01")->excludes(bytes);
  app.add_option("--latency", options.latency_us, "of a message, in microseconds; with --hosts, between hosts")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--bandwidth", options.bandwidth, "of a rank's link, in GB/s; with --hosts, of a host's")
      ->check(CLI::PositiveNumber);
  app.add_flag("--json", options.json, "one JSON object instead of text");
}

int run(int argc, char** argv) {
  CLI::App app("Gossamer: compressed averaging of gradients between ranks, without a master", "gossamer");
  app.set_version_flag("--version", goss_version());
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();

  CLI::App* info = app.add_subcommand("info", "Version, build, codecs, topologies, transports, configuration, devices");
  InfoOptions info_options;
  add_info(*info, info_options);

  CLI::App* perf =
      app.add_subcommand("perf",
                         "Time all-reduces, or gossip. Ranks come from mpirun (Open MPI, MPICH), from torchrun's "
                         "environment variables, from --ranks or from --inproc.");
  perf->option_defaults()->always_capture_default();
  PerfOptions options;
  add_sizes(*perf, options);
  add_subject(*perf, options);
  add_run(*perf, options);

  CLI::App* codecs = app.add_subcommand("codecs",
                                        "Measure codecs by themselves: size of a payload, ratio in a ring, error and "
                                        "speed on one core. Exits with 1 when an error is above the codec's bound.");
  codecs->option_defaults()->always_capture_default();
  CodecsOptions codecs_options;
  add_codecs(*codecs, codecs_options);

  CLI::App* topology = app.add_subcommand("topology",
                                          "Show what a topology comes to for so many ranks: spectral gap, degrees, "
                                          "rounds, predicted times; draw it; or compare several.");
  topology->option_defaults()->always_capture_default();
  TopologyOptions topology_options;
  add_topology(*topology, topology_options);

  CLI11_PARSE(app, argc, argv);
  if (info->parsed()) return run_info(info_options);
  if (topology->parsed()) return run_topology(topology_options);
  return codecs->parsed() ? run_codecs(codecs_options) : run_perf(options, argv);
}

}  // namespace
}  // namespace gossamer::tools

int main(int argc, char** argv) {
  try {
    return gossamer::tools::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gossamer: %s\n", error.what());
    return 1;
  }
}
