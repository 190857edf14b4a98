#include "tools/table.hpp"

#include <algorithm>
#include <cstdio>

namespace gossamer::tools {

std::string formatted(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print_table(const std::vector<Cells>& table, std::size_t words) {
  std::vector<int> widths(table.front().size(), 0);
  for (const Cells& cells : table) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], static_cast<int>(cells[i].size()));
  }
  for (const Cells& cells : table) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      std::printf("%*s%s", i < words ? -widths[i] : widths[i], cells[i].c_str(), i + 1 < cells.size() ? "  " : "\n");
    }
  }
}

}  // namespace gossamer::tools
