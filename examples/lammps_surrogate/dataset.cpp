#include "dataset.hpp"

#include <cmath>

namespace surrogate {

Samples make_samples(const Descriptors& descriptors, const Frame& frame) {
  const Eigen::Map<const Eigen::RowVectorXd> energies(frame.energies.data(), frame.own);
  return {descriptors.compute(frame), energies.cast<float>()};
}

Samples concatenate(const std::deque<Samples>& snapshots) {
  Eigen::Index atoms = 0;
  for (const Samples& snapshot : snapshots) atoms += snapshot.atoms();
  const Eigen::Index rows = snapshots.empty() ? 0 : snapshots.front().features.rows();
  Samples all{Features(rows, atoms), Eigen::RowVectorXf(atoms)};
  Eigen::Index at = 0;
  for (const Samples& snapshot : snapshots) {
    all.features.middleCols(at, snapshot.atoms()) = snapshot.features;
    all.energy.segment(at, snapshot.atoms()) = snapshot.energy;
    at += snapshot.atoms();
  }
  return all;
}

Samples draw(const Samples& pool, Eigen::Index count, std::mt19937_64& random) {
  if (pool.atoms() == 0) count = 0;
  Samples batch{Features(pool.features.rows(), count), Eigen::RowVectorXf(count)};
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto chosen = static_cast<Eigen::Index>(random() % static_cast<std::uint64_t>(pool.atoms()));
    batch.features.col(i) = pool.features.col(chosen);
    batch.energy[i] = pool.energy[chosen];
  }
  return batch;
}

Normaliser::Normaliser(Ranks& ranks, const Samples& mine) {
  const Eigen::Index rows = mine.features.rows() + 1;
  Eigen::MatrixXd values(rows, mine.atoms());
  values.topRows(rows - 1) = mine.features.cast<double>();
  values.bottomRows(1) = mine.energy.cast<double>();

  // Two passes, since energies are a few eV with a scatter of a tenth.
  Eigen::VectorXd sums(rows + 1);
  sums << values.rowwise().sum(), static_cast<double>(mine.atoms());
  ranks.sum({sums.data(), static_cast<std::size_t>(sums.size())});
  const double atoms = sums[rows];
  const Eigen::VectorXd mean = sums.head(rows) / atoms;
  Eigen::VectorXd squares = (values.colwise() - mean).array().square().matrix().rowwise().sum();
  ranks.sum({squares.data(), static_cast<std::size_t>(rows)});

  mean_ = mean.cast<float>();
  deviation_ = (squares / atoms).array().sqrt().max(1e-6).matrix().cast<float>();
}

Samples Normaliser::apply(const Samples& raw) const {
  const Eigen::Index rows = raw.features.rows();
  Samples out;
  out.features = ((raw.features.colwise() - mean_.head(rows)).array().colwise() / deviation_.head(rows).array());
  out.energy = (raw.energy.array() - mean_[rows]) / deviation_[rows];
  return out;
}

}  // namespace surrogate
