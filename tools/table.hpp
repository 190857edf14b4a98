#pragma once

#include <string>
#include <vector>

namespace gossamer::tools {

/// A row of a table as text; the first row names the columns.
using Cells = std::vector<std::string>;

/// One number, as printf has it.
std::string formatted(const char* format, double value);

/// Aligned columns: the first `words` to the left, the others, numbers, to the right.
void print_table(const std::vector<Cells>& table, std::size_t words);

}  // namespace gossamer::tools
