#include "lib/gossip/compressing_mixer.hpp"

#include <algorithm>
#include <cmath>

#include "lib/base/error.hpp"

namespace gossamer {

CompressingMixer::Streams CompressingMixer::make_streams(std::string_view codec, const MixingSetup& setup) {
  Streams streams{make_payload_stream(codec, setup.shape), {}, {}};
  if (streams.own->learns() && setup.topology.period() > 1) {
    fail(Status::unsupported, "codec ", codec, " learns from what a neighbour has sent before; on topology ",
         setup.topology.spec(), " neighbours change");
  }
  if (streams.own->learns()) {
    for (const Edge& edge : setup.topology.at(setup.rank, 0).in) streams.senders.push_back(edge.rank);
  }
  const std::size_t objects = streams.own->learns() ? streams.senders.size() : 1;
  for (std::size_t j = 0; j < objects; ++j) streams.theirs.push_back(make_payload_stream(codec, setup.shape));
  return streams;
}

CompressingMixer::CompressingMixer(const MixingSetup& setup, Says says)
    : says_(says),
      coded_(make_streams(setup.codec, setup)),
      exact_(says == Says::codes_or_values ? make_streams("identity", setup) : Streams()),
      vector_(setup.shape.count()),
      decoded_(says == Says::scaled_codes ? coded_.own->count(0) : 0) {}

PayloadStream& CompressingMixer::theirs(int sender) const noexcept {
  const std::vector<int>& senders = streams().senders;
  const auto place = std::ranges::find(senders, sender) - senders.begin();
  return *streams().theirs[senders.empty() ? 0 : static_cast<std::size_t>(place)];
}

std::size_t CompressingMixer::capacity() const noexcept {
  return sizeof(float) + std::max(coded_.own->capacity(), exact_.own ? exact_.own->capacity() : 0);
}

std::span<float> CompressingMixer::remember(std::size_t count) {
  remembered_.emplace_back(count);
  return remembered_.back();
}

std::vector<std::span<float>> CompressingMixer::state() {
  std::vector<std::span<float>> all(remembered_.begin(), remembered_.end());
  all.push_back(coded_.own->state());
  for (const auto& stream : coded_.theirs) all.push_back(stream->state());
  return all;
}

std::size_t CompressingMixer::memory_bytes() const noexcept {
  std::size_t floats = vector_.size() + decoded_.size();
  for (const std::vector<float>& each : remembered_) floats += each.size();
  return floats * sizeof(float);
}

void CompressingMixer::begin(const GossipRound& round) {
  round_ = &round;
  applied_ = false;
  lost_.assign(round.around.in.size(), 0);
  prepare();
  if (round.finite) {
    compose();
    own().begin(vector_, round.context);
  }
}

Bytes CompressingMixer::give(std::size_t message, MutableBytes slot) {
  PayloadStream& stream = own();
  const std::size_t bytes = sizeof(float) + stream.encode(message, slot.subspan(sizeof(float))).size();
  float scale = 1;
  if (says_ == Says::scaled_codes) {
    const std::span<float> input = std::span(vector_).subspan(stream.first(message), stream.count(message));
    const std::span<float> output = std::span(decoded_).first(input.size());
    std::ranges::fill(output, 0.0F);
    stream.add(1, output);
    double squares = 0;
    double products = 0;
    double energy = 0;
    for (std::size_t i = 0; i < input.size(); ++i) {
      const auto x = static_cast<double>(input[i]);
      const auto q = static_cast<double>(output[i]);
      squares += q * q;
      products += x * q;
      energy += x * x;
    }
    // A codec may have gone beyond float's range: then there is nothing to say.
    const bool said_something = squares > 0 && std::isfinite(squares) && std::isfinite(products);
    scale = said_something ? static_cast<float>(products / squares) : 0.0F;
    if (!std::isfinite(scale)) scale = 0;
    measured(energy, said_something ? products * products / squares : 0);
  }
  std::memcpy(slot.data(), &scale, sizeof scale);
  said(Said(stream, message, scale));
  return slot.first(bytes);
}

void CompressingMixer::hear(std::span<const Note> notes, bool applied) {
  applied_ = applied;
  refused_.clear();
  for (const Note& note : notes) refused_.push_back((note.flags & Note::refused) != 0 ? 1 : 0);
}

void CompressingMixer::lose(std::size_t neighbour) {
  lost_[neighbour] = 1;
}

void CompressingMixer::take(std::size_t message, std::span<const Bytes> arrived) {
  for (std::size_t j = 0; j < arrived.size(); ++j) {
    if (refused_[j] != 0) continue;
    const Edge& from = round_->around.in[j];
    if (lost_[j] != 0) {
      missed(from, own().first(message), own().count(message));
      continue;
    }
    ByteReader reader(arrived[j]);
    const auto scale = reader.get<float>();
    if (!std::isfinite(scale)) fail(Status::corrupt, "rank ", from.rank, " scales what it says by ", scale);
    PayloadStream& stream = theirs(from.rank);
    if (message == 0) stream.expect(vector_, round_->context);
    stream.open(message, reader.take(reader.remaining()));
    heard(from, Said(stream, message, scale));
  }
}

}  // namespace gossamer
