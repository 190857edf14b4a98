// What of a tensor outlives its calls: looked at, saved, loaded, forgotten.
#include <algorithm>
#include <cmath>

#include "compress/kernels.hpp"
#include "lib/gossip.hpp"
#include "lib/gossip/asynchronous.hpp"
#include "lib/model_group.hpp"
#include "lib/tensor.hpp"

namespace gossamer {
namespace {

constexpr std::uint64_t kMagic = 0x33525354'53534f47ULL;  // "GOSSTSR3"
constexpr std::size_t kSavedWords = 14;                   // besides the floats

std::uint64_t hash_of(Bytes bytes) noexcept {
  return fnv1a(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// FNV-1a over words: fast enough for a residual, sharp enough for a cut file.
std::uint64_t checksum(Bytes bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    hash = (hash ^ word) * 0x100000001b3ULL;
    hash ^= hash >> 29;
  }
  return hash ^ hash_of(bytes.subspan(i));
}

std::size_t floats_in(const std::vector<std::span<float>>& spans) noexcept {
  std::size_t floats = 0;
  for (const std::span<float> each : spans) floats += each.size();
  return floats;
}

void read_floats(ByteReader& reader, std::span<float> out) {
  const Bytes bytes = reader.take(out.size_bytes());
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
}

}  // namespace

Tensor::Kept Tensor::kept() {
  if (membership_.group == nullptr) return {residual_, codec_->state(), calls_, *codec_, reductions_.get(), true};
  Tensor& whole = membership_.group->whole();
  const ModelGroup::Member& member = *membership_.member;
  const bool leads = membership_.group->leads(member);
  const std::span<float> residual(whole.residual_);
  return {residual.empty() ? residual : residual.subspan(member.offset, member.shape.count()),
          leads ? whole.codec_->state() : std::span<float>(),
          whole.calls_,
          *whole.codec_,
          whole.reductions_.get(),
          leads};
}

/// Looking at a residual does not seal the group: before its first call there is none.
std::span<const float> Tensor::residual_of_now() {
  if (membership_.group != nullptr && !membership_.group->sealed()) return {};
  return kept().residual;
}

void Tensor::copy_residual(std::span<float> out) {
  const std::span<const float> residual = residual_of_now();
  if (residual.empty()) {
    std::fill(out.begin(), out.end(), 0.0F);
  } else {
    std::copy(residual.begin(), residual.end(), out.begin());
  }
}

double Tensor::residual_norm() {
  return std::sqrt(kernels::sum_of_squares(residual_of_now()));
}

std::uint64_t Tensor::fingerprint() {
  const std::string_view layout = kept().codec.name();
  std::uint64_t hash = fnv1a(name().data(), name().size());
  hash = fnv1a(spec_.data(), spec_.size(), hash);
  hash = fnv1a(layout.data(), layout.size(), hash);
  hash = fnv1a(reinterpret_cast<const char*>(&shape_.dtype), sizeof shape_.dtype, hash);
  return fnv1a(reinterpret_cast<const char*>(shape_.dims.data()), shape_.dims.size() * sizeof(std::size_t), hash);
}

std::vector<std::span<float>> Tensor::kept_by_gossip() const {
  return gossip_ ? gossip_->state() : std::vector<std::span<float>>();
}

std::size_t Tensor::saved_bytes() {
  const Kept mine = kept();
  return kSavedWords * sizeof(std::uint64_t) +
         (mine.residual.size() + mine.state.size() + floats_in(kept_by_gossip())) * sizeof(float);
}

void Tensor::save(MutableBytes out) {
  const Kept mine = kept();
  const std::vector<std::span<float>> gossip = kept_by_gossip();
  ByteWriter writer(out);
  writer.put(kMagic);
  writer.put(fingerprint());
  writer.put(mine.calls);
  const Measured measured = mine.reductions != nullptr ? mine.reductions->measured() : Measured();
  writer.put(measured.own);
  writer.put(measured.sum);
  writer.put<std::uint64_t>(measured.age);
  writer.put(mixes_);
  writer.put(gossip_rounds_);
  writer.put(mailbox_ ? mailbox_->account() : Asynchronous::Account());
  writer.put<std::uint64_t>(mine.residual.size());
  writer.put<std::uint64_t>(mine.state.size());
  writer.put<std::uint64_t>(floats_in(gossip));
  writer.put<std::uint64_t>(gossip_ ? gossip_->method : 0);
  writer.put_bytes(std::as_bytes(mine.residual));
  writer.put_bytes(std::as_bytes(mine.state));
  for (const std::span<float> each : gossip) writer.put_bytes(std::as_bytes(each));
  writer.put(checksum(writer.written()));
}

void Tensor::load(Bytes in) {
  const Kept mine = kept();
  ByteReader reader(in);
  if (in.size() < kSavedWords * sizeof(std::uint64_t) || reader.get<std::uint64_t>() != kMagic) {
    fail(Status::corrupt, in.size(), " bytes are not the saved state of a tensor");
  }
  const auto whole = [&](bool is) {
    if (!is) fail(Status::corrupt, "the saved state of '", name(), "', ", in.size(), " bytes, is not whole");
  };
  const std::size_t summed = in.size() - sizeof(std::uint64_t);
  whole(ByteReader(in.subspan(summed)).get<std::uint64_t>() == checksum(in.first(summed)));
  if (reader.get<std::uint64_t>() != fingerprint()) {
    fail(Status::mismatch, "the saved state belongs to a tensor of another name, type, shape or codec than '", name(),
         "' with ", spec_);
  }
  const auto calls = reader.get<std::uint64_t>();
  const auto own = reader.get<float>();
  const auto sum = reader.get<float>();
  const auto age = static_cast<std::uint32_t>(reader.get<std::uint64_t>());
  const auto mixes = reader.get<std::uint64_t>();
  const auto rounds = reader.get<std::uint64_t>();
  const auto account = reader.get<Asynchronous::Account>();
  const auto residual_count = reader.get<std::uint64_t>();
  const auto state_count = reader.get<std::uint64_t>();
  const auto gossip_count = reader.get<std::uint64_t>();
  const auto method = reader.get<std::uint64_t>();
  whole(residual_count == mine.residual.size() && state_count == mine.state.size());
  if (gossip_count == 0) forget_gossip();  // as it was when this was saved
  if (gossip_count > 0) prepare_gossip();
  if (gossip_count > 0 && gossip_->method != method) {
    fail(Status::mismatch, "the saved state of '", name(),
         "' is of another gossip method, outer optimiser or graph than mixing=", world_.gossip.mixing,
         " outer=", world_.gossip.outer, " on ", world_.topology.spec());
  }
  const std::vector<std::span<float>> gossip = kept_by_gossip();
  whole(gossip_count == floats_in(gossip) && in.size() == saved_bytes());
  mine.calls = calls;
  if (mine.reductions != nullptr) mine.reductions->measured() = {own, sum, age};
  mixes_ = mixes;
  gossip_rounds_ = rounds;
  if (account.pushes > 0 || account.weight != 1) prepare_mailbox();
  if (mailbox_) mailbox_->restore(account);
  for (const std::span<float> each : {mine.residual, mine.state}) read_floats(reader, each);
  for (const std::span<float> each : gossip) read_floats(reader, each);
}

void Tensor::reset() {
  const Kept mine = kept();
  std::fill(mine.residual.begin(), mine.residual.end(), 0.0F);
  mine.calls = 0;
  if (mine.resets_codec) {
    mine.codec.reset();
    if (mine.reductions != nullptr) mine.reductions->reset();
  }
  mixes_ = 0;
  gossip_rounds_ = 0;
  if (mailbox_) mailbox_->restore({});
  forget_gossip();
}

}  // namespace gossamer
