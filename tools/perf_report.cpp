#include "tools/perf_report.hpp"

#include <cstdio>

#include "lib/base/dtype.hpp"
#include "tools/json.hpp"
#include "tools/perf_measure.hpp"
#include "tools/table.hpp"

namespace gossamer::tools {
namespace {

const char* op_name(PerfOp op) {
  constexpr const char* kNames[] = {"sum", "mean", "mix", "push"};
  return kNames[static_cast<std::size_t>(op)];
}

const char* what_is_timed(PerfOp op) {
  return op == PerfOp::mix ? "a round of gossip" : op == PerfOp::push ? "a push and a pull" : "all-reduce";
}

const char* what_error_is(PerfOp op) {
  switch (op) {
    case PerfOp::mix:
      return "of the first round, |result - W x| / |W x|";
    case PerfOp::push:
      return "what is gained or lost of the models' sum, relatively";
    case PerfOp::sum:
    case PerfOp::mean:
      break;
  }
  return "of the first call, |result - exact| / |exact|";
}

std::string dtype_name(goss_dtype dtype) {
  return std::string(name_of(static_cast<DType>(dtype)));
}

double gigabytes_per_second(const CaseResult& result, double bytes) {
  const double median = quantile(result.seconds, 0.5);
  return median > 0 ? bytes / median * 1e-9 : 0;
}

/// Input bytes per second of the median call.
double algorithm_bandwidth(const CaseResult& result) {
  return gigabytes_per_second(result, static_cast<double>(result.bytes));
}

/// What that means for every rank's link: 2(n-1)/n times as much in an all-reduce, what was sent in gossip.
double bus_bandwidth(const CaseResult& result, PerfOp op, int ranks) {
  return is_gossip(op) ? gigabytes_per_second(result, result.wire_bytes)
                       : algorithm_bandwidth(result) * 2.0 * (ranks - 1) / ranks;
}

/// "-" for what does not apply.
std::string cell(const char* format, double value, bool applies = true) {
  return applies ? formatted(format, value) : "-";
}

double speedup(const CaseResult& result) {
  const double ours = quantile(result.seconds, 0.5);
  return ours > 0 ? quantile(result.rival_seconds, 0.5) / ours : 0;
}

void print_comment(const std::string& text) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) std::printf("# %s\n", text.substr(begin, end - begin).c_str());
    begin = end + 1;
  }
}

void write_case(JsonWriter& out, const CaseResult& result, PerfOp op, int ranks) {
  out.open_object();
  out.integer("bytes", result.bytes);
  out.number("min_seconds", quantile(result.seconds, 0));
  out.number("median_seconds", quantile(result.seconds, 0.5));
  out.number("p99_seconds", quantile(result.seconds, 0.99));
  out.number("algbw_gb_per_second", algorithm_bandwidth(result));
  out.number("busbw_gb_per_second", bus_bandwidth(result, op, ranks));
  out.number("wire_bytes", result.wire_bytes);
  out.number("ratio", result.ratio);
  out.number("error", result.error);
  out.number("encode_seconds", result.encode_seconds);
  out.number("reduce_seconds", result.reduce_seconds);
  out.number("decode_seconds", result.decode_seconds);
  out.number("wait_seconds", result.wait_seconds);
  out.numbers("seconds", result.seconds);
  if (!result.rival_seconds.empty()) {
    out.number("rival_median_seconds", quantile(result.rival_seconds, 0.5));
    out.number("speedup", speedup(result));
    out.numbers("rival_seconds", result.rival_seconds);
  }
  out.open_array("broken");
  for (const std::string& each : result.broken) out.text({}, each);
  out.close();
  out.close();
}

}  // namespace

void print_header(const PerfOptions& options, const PerfHeader& header) {
  std::printf("# gossamer %s: %s, %d rank%s, %s, %s, %d iterations after %d\n", goss_version(),
              what_is_timed(options.op), header.ranks, header.ranks == 1 ? "" : "s", dtype_name(options.dtype).c_str(),
              op_name(options.op), options.iterations, options.warmup);
  print_comment(header.description);
  std::printf("# times: the slowest rank's; wire: bytes sent per rank; ratio: of the dense ring's bytes to these;\n");
  std::printf("# error: %s; encode to wait: mean of the ranks\n", what_error_is(options.op));
  if (!header.rival.empty()) std::printf("# rival: %s, of the same bytes\n", header.rival.c_str());
  std::printf("%12s %10s %10s %10s %8s %8s %12s %7s %9s %9s %9s %9s %9s", "size", "min", "median", "p99", "algbw",
              "busbw", "wire", "ratio", "error", "encode", "reduce", "decode", "wait");
  std::printf(header.rival.empty() ? "" : " %10s %8s", "rival", "speed-up");
  std::printf("%s\n%12s %10s %10s %10s %8s %8s %12s %7s %9s %9s %9s %9s %9s", options.check ? "  check" : "", "B", "us",
              "us", "us", "GB/s", "GB/s", "B", "x", "", "us", "us", "us", "us");
  std::printf(header.rival.empty() ? "\n" : " %10s %8s\n", "us", "x");
  std::fflush(stdout);
}

void print_case(const PerfOptions& options, const PerfHeader& header, const CaseResult& result) {
  const auto micro = [](double seconds) { return cell("%.1f", seconds * 1e6); };
  std::printf(
      "%12llu %10s %10s %10s %8s %8s %12s %7s %9s %9s %9s %9s %9s", static_cast<unsigned long long>(result.bytes),
      micro(quantile(result.seconds, 0)).c_str(), micro(quantile(result.seconds, 0.5)).c_str(),
      micro(quantile(result.seconds, 0.99)).c_str(), cell("%.3f", algorithm_bandwidth(result)).c_str(),
      cell("%.3f", bus_bandwidth(result, options.op, header.ranks)).c_str(), cell("%.0f", result.wire_bytes).c_str(),
      cell("%.2f", result.ratio, result.ratio > 0).c_str(), cell("%.2e", result.error).c_str(),
      micro(result.encode_seconds).c_str(), micro(result.reduce_seconds).c_str(), micro(result.decode_seconds).c_str(),
      micro(result.wait_seconds).c_str());
  if (!header.rival.empty()) {
    std::printf(" %10s %8s", micro(quantile(result.rival_seconds, 0.5)).c_str(), cell("%.2f", speedup(result)).c_str());
  }
  std::printf("%s\n", !options.check ? "" : result.broken.empty() ? "  ok" : "  BROKEN");
  for (const std::string& each : result.broken) std::printf("# broken: %s\n", each.c_str());
  std::fflush(stdout);
}

void print_json(const PerfOptions& options, const PerfHeader& header, const std::vector<CaseResult>& results) {
  JsonWriter out;
  out.open_object();
  out.text("version", goss_version());
  out.integer("ranks", static_cast<std::uint64_t>(header.ranks));
  out.text("config", options.communicator_config());
  out.text("codec", options.codec);
  out.text("dtype", dtype_name(options.dtype));
  out.text("op", op_name(options.op));
  out.integer("iterations", static_cast<std::uint64_t>(options.iterations));
  out.text("description", header.description);
  if (!header.rival.empty()) out.text("rival", header.rival);
  out.flag("checked", options.check);
  out.open_array("results");
  for (const CaseResult& result : results) write_case(out, result, options.op, header.ranks);
  out.close();
  out.close();
  std::printf("%s\n", out.str().c_str());
  std::fflush(stdout);
}

}  // namespace gossamer::tools
