#pragma once

#include <Eigen/Core>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace surrogate {

inline constexpr std::uint64_t fnv1a_start = 0xcbf29ce484222325ULL;

/// FNV-1a, 64 bits, continued from `hash`.
std::uint64_t fnv1a(const void* data, std::size_t size, std::uint64_t hash = fnv1a_start);

/// One rank's checkpoint file. The same sequence of calls writes it and reads it back, so that the two cannot drift
/// apart. Native byte order: for continuing on the same kind of machine. Throws std::runtime_error naming the file.
class Archive {
 public:
  /// For writing, until `save`.
  Archive() = default;
  /// For reading. Throws if the file is missing, cut short or altered (it ends with a checksum).
  explicit Archive(const std::string& path);
  /// Replaces the file at once: a job that is killed while saving leaves the checkpoint before it.
  void save(const std::string& path);

  [[nodiscard]] bool writing() const { return path_.empty(); }

  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void value(T& item) { raw(&item, sizeof item); }

  /// `Container` holds single bytes or other trivially copyable items, contiguously.
  template <typename Container>
  void bytes(Container& items) {
    std::uint64_t count = items.size();
    value(count);
    limit(count * sizeof items[0]);
    items.resize(count);
    raw(items.data(), count * sizeof items[0]);
  }

  template <typename Scalar, int Rows, int Cols, int Options>
  void matrix(Eigen::Matrix<Scalar, Rows, Cols, Options>& m) {
    Eigen::Index rows = m.rows(), cols = m.cols();
    value(rows);
    value(cols);
    limit(static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(cols) * sizeof(Scalar));
    m.resize(rows, cols);
    raw(m.data(), static_cast<std::size_t>(m.size()) * sizeof(Scalar));
  }

  /// A container of anything, of which `each` passes one element.
  template <typename Container, typename Each>
  void list(Container& items, const Each& each) {
    std::uint64_t count = items.size();
    value(count);
    limit(count);
    items.resize(count);
    for (auto& item : items) each(item);
  }

 private:
  void raw(void* data, std::size_t size);
  /// When reading, throws unless `size` more bytes are there.
  void limit(std::uint64_t size) const;

  std::string path_;  ///< empty when writing
  std::vector<char> data_;
  std::size_t at_ = 0;
};

}  // namespace surrogate
