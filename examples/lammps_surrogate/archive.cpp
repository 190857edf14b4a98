#include "archive.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace surrogate {

std::uint64_t fnv1a(const void* data, std::size_t size, std::uint64_t hash) {
  const auto* byte = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ byte[i]) * 0x100000001b3ULL;
  return hash;
}

Archive::Archive(const std::string& path) : path_(path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read checkpoint " + path);
  data_.assign(std::istreambuf_iterator<char>(in), {});
  std::uint64_t checksum = 0;
  if (data_.size() >= sizeof checksum) {
    std::memcpy(&checksum, data_.data() + data_.size() - sizeof checksum, sizeof checksum);
    data_.resize(data_.size() - sizeof checksum);
  }
  if (checksum != fnv1a(data_.data(), data_.size())) {
    throw std::runtime_error("checkpoint " + path + " is cut short or altered");
  }
}

void Archive::save(const std::string& path) {
  std::uint64_t checksum = fnv1a(data_.data(), data_.size());
  value(checksum);
  const std::string unfinished = path + ".unfinished";
  std::ofstream out(unfinished, std::ios::binary);
  out.write(data_.data(), static_cast<std::streamsize>(data_.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write checkpoint " + unfinished);
  std::filesystem::rename(unfinished, path);
}

void Archive::raw(void* data, std::size_t size) {
  if (writing()) {
    const auto* bytes = static_cast<const char*>(data);
    data_.insert(data_.end(), bytes, bytes + size);
    return;
  }
  limit(size);
  std::memcpy(data, data_.data() + at_, size);
  at_ += size;
}

void Archive::limit(std::uint64_t size) const {
  if (writing() || size <= data_.size() - at_) return;
  throw std::runtime_error("checkpoint " + path_ + " ends too early: it belongs to other options or another version");
}

}  // namespace surrogate
