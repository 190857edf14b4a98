#include <cstdio>

#include "tools/codecs.hpp"
#include "tools/json.hpp"
#include "tools/table.hpp"

namespace gossamer::tools {
namespace {

/// "-" for what does not apply.
std::string cell(const char* format, double value) {
  return value > 0 ? formatted(format, value) : "-";
}

std::string error_cell(double error) {
  return error == 0 ? "0" : cell(error < 0.001 ? "%.1e" : "%.3f", error);
}

std::vector<Cells> table_of(const CodecsOptions& options, const std::vector<CodecRow>& rows) {
  std::vector<Cells> table = {{"codec", "reduces", "EF", "payload (B)", "ratio",
                               "ring of " + std::to_string(options.ranks), "error", "encode (GB/s)",
                               "decode-add (GB/s)"}};
  for (const CodecRow& row : rows) {
    table.push_back({row.spec, row.reduction, row.error_feedback ? "on" : "off", cell("%.0f", row.payload_bytes),
                     cell("%.1f", row.ratio), cell("%.1f", row.ring_ratio), error_cell(row.error),
                     cell("%.2f", row.encode_rate), cell("%.2f", row.decode_rate)});
  }
  return table;
}

constexpr std::size_t kWords = 3;  // columns that hold words come first

void print_markdown(const std::vector<Cells>& table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    for (std::size_t column = 0; column < table[i].size(); ++column) {
      const bool code = i > 0 && column == 0;
      std::printf(code ? "| `%s` " : "| %s ", table[i][column].c_str());
    }
    std::printf("|\n");
    if (i > 0) continue;
    for (std::size_t column = 0; column < table[i].size(); ++column) std::printf(column < kWords ? "|---" : "|---:");
    std::printf("|\n");
  }
}

void print_json(const CodecsOptions& options, const Subjects& subjects, const std::vector<CodecRow>& rows) {
  JsonWriter out;
  out.open_object();
  out.text("version", GOSSAMER_VERSION);
  out.text("input", subjects.origin);
  out.integer("elements", subjects.count());
  out.integer("ranks", static_cast<std::uint64_t>(options.ranks));
  out.open_array("codecs");
  for (const CodecRow& row : rows) {
    out.open_object();
    out.text("spec", row.spec);
    out.text("reduction", row.reduction);
    out.flag("error_feedback", row.error_feedback);
    out.number("payload_bytes", row.payload_bytes);
    out.number("ratio", row.ratio);
    out.number("ring_ratio", row.ring_ratio);
    out.number("error", row.error);
    out.number("encode_gb_per_second", row.encode_rate);
    out.number("decode_gb_per_second", row.decode_rate);
    out.open_array("broken");
    for (const std::string& each : row.broken) out.text({}, each);
    out.close();
    out.close();
  }
  out.close();
  out.close();
  std::printf("%s\n", out.str().c_str());
}

}  // namespace

void print_rows(const CodecsOptions& options, const Subjects& subjects, const std::vector<CodecRow>& rows) {
  if (options.json) return print_json(options, subjects, rows);
  const std::vector<Cells> table = table_of(options, rows);
  if (options.markdown) return print_markdown(table);
  std::printf("# %s\n", subjects.origin.c_str());
  std::printf("# payload: of one rank; ratio: the input's bytes to these; ring: predicted ratio of the bytes sent,\n");
  std::printf(
      "# against the dense ring; error: of one encode, |decode(encode(x)) - x| / |x|; rates: input, one core\n");
  print_table(table, kWords);
}

}  // namespace gossamer::tools
