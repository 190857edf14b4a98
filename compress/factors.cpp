#include "compress/factors.hpp"

#include <algorithm>
#include <cstring>

#include "compress/skinny.hpp"
#include "lib/base/error.hpp"

namespace gossamer::low_rank {
namespace {

constexpr std::size_t kProduct = 4096;  // values multiplied out at a time: stay in the first-level cache

void read_floats(ByteReader& reader, std::size_t count, std::vector<float>& to) {
  const Bytes bytes = reader.take(count * sizeof(float));
  to.resize(std::max(to.size(), count));
  if (count > 0) std::memcpy(to.data(), bytes.data(), bytes.size());
}

}  // namespace

void put_values(ByteWriter& writer, std::span<const float> values) {
  writer.put(kValues);
  writer.put_bytes(std::as_bytes(values));
}

void put_factors(ByteWriter& writer, std::size_t rank, std::span<const float> left, std::span<const float> right) {
  writer.put(static_cast<std::uint32_t>(rank));
  writer.put_bytes(std::as_bytes(left));
  writer.put_bytes(std::as_bytes(right));
}

void add_values(Bytes values, float scale, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    float value = 0;
    std::memcpy(&value, values.data() + i * sizeof(float), sizeof(float));
    out[i] += scale * value;
  }
}

void BlockReader::accumulate(ByteReader& reader, Sides sides, float scale, std::span<float> out) {
  const auto rank = reader.get<std::uint32_t>();
  if (rank == kValues) return add_values(reader.take(out.size() * sizeof(float)), scale, out);
  if (rank > 0 && !worthwhile(sides, rank)) {
    fail(Status::corrupt, "low-rank payload has factors of rank ", rank, ", no shorter than their ", sides.rows, " x ",
         sides.cols, " matrix");
  }
  read_floats(reader, rank * sides.rows, left_);
  read_floats(reader, rank * sides.cols, right_);
  if (rank == 0) return;
  product_.resize(kProduct);
  const std::size_t width = std::min(sides.cols, kProduct);
  const std::size_t height = kProduct / width;
  for (std::size_t row = 0; row < sides.rows; row += height) {
    const std::size_t rows = std::min(height, sides.rows - row);
    for (std::size_t col = 0; col < sides.cols; col += width) {
      const std::size_t cols = std::min(width, sides.cols - col);
      skinny::reconstruct({left_.data() + row, rank, sides.rows}, {right_.data() + col, rank, sides.cols},
                          {product_.data(), rows, cols, cols});
      for (std::size_t i = 0; i < rows; ++i) {
        float* to = out.data() + (row + i) * sides.cols + col;
        const float* product = product_.data() + i * cols;
        for (std::size_t j = 0; j < cols; ++j) to[j] += scale * product[j];
      }
    }
  }
}

}  // namespace gossamer::low_rank
