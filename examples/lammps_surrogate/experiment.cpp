#include "experiment.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace surrogate {
namespace {

constexpr std::uint64_t checkpoint_format = 0x31303047'4d4d414cULL;

void keep_newest(std::deque<Samples>& snapshots, int count) {
  while (snapshots.size() > static_cast<std::size_t>(count)) snapshots.pop_front();
}

std::string md_file(const std::string& base) {
  return base + ".lammps";
}

double deviation(Ranks& ranks, const Samples& samples) {
  const auto energies = samples.energy.cast<double>();
  std::vector<double> sums = {energies.sum(), energies.squaredNorm(), static_cast<double>(samples.atoms())};
  ranks.sum(sums);
  const double mean = sums[0] / sums[2];
  return std::sqrt(std::max(0.0, sums[1] / sums[2] - mean * mean));
}

}  // namespace

Experiment::Experiment(MPI_Comm comm, const Settings& settings)
    : settings_(settings),
      mpi_(comm),
      descriptors_(settings.radial_cutoff, settings.angular_cutoff),
      ranks_(comm, settings.config),
      report_(settings.codecs, settings.output) {
  settings_.training.widths = {descriptors_.size()};
  settings_.training.widths.insert(settings_.training.widths.end(), settings_.hidden.begin(), settings_.hidden.end());
  settings_.training.widths.push_back(1);
  for (const std::string& codec : settings_.codecs) {
    replicas_.push_back(std::make_unique<Replica>(ranks_, settings_.training, codec));
    if (codec == dense_codec && !settings_.record.empty()) replicas_.back()->record(rank_file(settings_.record));
  }
  if (settings_.restart.empty()) {
    simulation_ = std::make_unique<Simulation>(comm, settings_.melt);
    return;
  }
  restore();
  simulation_ = std::make_unique<Simulation>(comm, settings_.melt, md_file(settings_.restart));
}

void Experiment::run() {
  if (ranks_.rank() == 0) introduce();
  for (int epoch = static_cast<int>(history_.size()) + 1; epoch <= settings_.training.epochs; ++epoch) {
    simulate(epoch);
    history_.push_back(train(epoch));
    if (ranks_.rank() == 0) report_.epoch(history_.back());
    if (epoch < settings_.training.epochs) close_epoch(epoch);
  }
  finish();
}

void Experiment::introduce() const {
  std::printf("%lld atoms of copper in LAMMPS on %d ranks; a neural potential of %lld parameters for every codec\n",
              static_cast<long long>(simulation_->atoms()), ranks_.size(),
              static_cast<long long>(replicas_.front()->model().parameters()));
  if (!history_.empty()) std::printf("continuing %s after epoch %zu\n", settings_.restart.c_str(), history_.size());
  report_.heading();
  for (const EpochRecord& record : history_) report_.epoch(record);
}

double Experiment::thermostat(int epoch) const {
  const double heated = std::min(1.0, 2.0 * epoch / settings_.training.epochs);
  return settings_.start_kelvin + heated * (settings_.end_kelvin - settings_.start_kelvin);
}

void Experiment::simulate(int epoch) {
  const int steps = settings_.steps_per_snapshot * (settings_.snapshots_per_epoch + 1);
  simulation_->heat(thermostat(epoch - 1), thermostat(epoch), steps);
  take_snapshots();
  if (!normalised_) {
    normaliser_ = Normaliser(ranks_, concatenate(replay_));
    for (auto* snapshots : {&replay_, &held_out_}) {
      for (Samples& samples : *snapshots) samples = normaliser_.apply(samples);
    }
    normalised_ = true;
  }
  keep_newest(replay_, settings_.replay_snapshots);
  keep_newest(held_out_, settings_.held_out_snapshots);
}

void Experiment::take_snapshots() {
  for (int i = 0; i <= settings_.snapshots_per_epoch; ++i) {
    simulation_->run(settings_.steps_per_snapshot);
    const Samples raw = make_samples(descriptors_, simulation_->frame());
    const bool hold_out = i == settings_.snapshots_per_epoch;
    (hold_out ? held_out_ : replay_).push_back(normalised_ ? normaliser_.apply(raw) : raw);
  }
}

EpochRecord Experiment::train(int epoch) {
  const Samples pool = concatenate(replay_);
  const Samples held_out = concatenate(held_out_);
  EpochRecord record;
  record.epoch = epoch;
  record.time_ps = simulation_->time_ps();
  record.md_step = std::llround(record.time_ps / settings_.melt.timestep_ps);
  record.temperature = simulation_->temperature();
  record.energy_per_atom = simulation_->energy_per_atom();
  record.order = simulation_->crystal_order();
  record.baseline_mev = normaliser_.energy_unit_mev() * deviation(ranks_, held_out);
  for (auto& replica : replicas_) record.codecs.push_back(train(epoch, *replica, pool, held_out));
  return record;
}

CodecRecord Experiment::train(int epoch, Replica& replica, const Samples& pool, const Samples& held_out) {
  CodecRecord record;
  record.train_mev = normaliser_.energy_unit_mev() * replica.train(epoch, pool);
  record.test_mev = normaliser_.energy_unit_mev() * replica.test(held_out);
  const Traffic traffic = replica.traffic();
  std::vector<double> costs = {traffic.bytes_sent, traffic.codec_seconds, traffic.wait_seconds,
                               replica.train_seconds()};
  ranks_.sum(costs);
  for (double& cost : costs) cost /= ranks_.size();
  record.bytes_sent = costs[0];
  record.codec_seconds = costs[1];
  record.wait_seconds = costs[2];
  record.train_seconds = costs[3];
  return record;
}

// Every epoch ends with the simulation leaving and coming back through a restart file, whether or not there is a
// checkpoint: so a run that is continued from one computes the same as a run that never stopped.
void Experiment::close_epoch(int epoch) {
  const bool keep = !settings_.checkpoint.empty() && epoch == settings_.checkpoint_epoch;
  simulation_->reopen(md_file(keep ? settings_.checkpoint : settings_.output));
  if (!keep) return;
  Archive saved;
  archive(saved);
  saved.save(rank_file(settings_.checkpoint));
  ranks_.barrier();
  if (ranks_.rank() == 0) {
    std::printf("saved %s.* after epoch %d: continue with --restart %s\n", settings_.checkpoint.c_str(), epoch,
                settings_.checkpoint.c_str());
  }
}

// One rank's file may be missing or damaged: all ranks must hear of it, and one report is enough.
void Experiment::restore() {
  std::string problem;
  try {
    Archive saved(rank_file(settings_.restart));
    archive(saved);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  int reporter = problem.empty() ? ranks_.size() : ranks_.rank();
  MPI_Allreduce(MPI_IN_PLACE, &reporter, 1, MPI_INT, MPI_MIN, mpi_);
  if (reporter == ranks_.size()) return;
  problem.resize(1024);
  MPI_Bcast(problem.data(), static_cast<int>(problem.size()), MPI_CHAR, reporter, mpi_);
  throw UsageError("--restart: rank " + std::to_string(reporter) + ": " + problem.c_str());
}

void Experiment::archive(Archive& archive) {
  std::uint64_t format = checkpoint_format;
  archive.value(format);
  if (format != checkpoint_format) throw std::runtime_error(settings_.restart + " is no checkpoint of this program");
  const std::string mine = settings_.fingerprint(ranks_.size());
  std::string theirs = mine;
  archive.bytes(theirs);
  if (theirs != mine) {
    throw std::runtime_error("the checkpoint was made under other options\n  there: " + theirs + "\n  here:  " + mine);
  }
  archive.matrix(normaliser_.mean_);
  archive.matrix(normaliser_.deviation_);
  archive.value(normalised_);
  for (auto* snapshots : {&replay_, &held_out_}) {
    archive.list(*snapshots, [&archive](Samples& samples) {
      archive.matrix(samples.features);
      archive.matrix(samples.energy);
    });
  }
  archive.list(history_, [&archive](EpochRecord& record) {
    archive.value(record.epoch);
    archive.value(record.md_step);
    for (double* item :
         {&record.time_ps, &record.temperature, &record.energy_per_atom, &record.order, &record.baseline_mev}) {
      archive.value(*item);
    }
    archive.bytes(record.codecs);
  });
  for (auto& replica : replicas_) replica->archive(archive);
}

void Experiment::finish() {
  std::vector<std::uint64_t> hashes;
  for (const auto& replica : replicas_) hashes.push_back(replica->weights_hash());
  std::vector<std::uint64_t> lowest(hashes), highest(hashes);
  const int count = static_cast<int>(hashes.size());
  MPI_Allreduce(MPI_IN_PLACE, lowest.data(), count, MPI_UINT64_T, MPI_MIN, mpi_);
  MPI_Allreduce(MPI_IN_PLACE, highest.data(), count, MPI_UINT64_T, MPI_MAX, mpi_);
  for (std::size_t c = 0; c < hashes.size(); ++c) {
    if (lowest[c] == highest[c] || replicas_[c]->method() != Method::all_reduce) continue;
    throw std::runtime_error("the ranks ended with different weights under " + replicas_[c]->codec());
  }
  if (ranks_.rank() != 0) return;
  std::filesystem::remove(md_file(settings_.output));
  report_.table(history_.back(), hashes);
  report_.curves(history_);
}

std::string Experiment::rank_file(const std::string& base) const {
  return base + ".rank" + std::to_string(ranks_.rank());
}

}  // namespace surrogate
