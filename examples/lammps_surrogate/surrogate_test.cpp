// Descriptors against brute force and symmetry, backpropagation against finite differences, specs, the checkpoint file.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <Eigen/Geometry>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <random>

#include "archive.hpp"
#include "descriptors.hpp"
#include "exchange.hpp"
#include "mlp.hpp"
#include "simulation.hpp"

namespace {

using namespace surrogate;

constexpr double radial_cutoff = 6.0;
constexpr double angular_cutoff = 4.5;

/// A few atoms around the origin, none closer than 1.5 Å to another; one of them is the own one.
Frame cluster(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> along(-4.5, 4.5);
  std::vector<Eigen::Vector3d> atoms;
  while (atoms.size() < 24) {
    const Eigen::Vector3d atom(along(random), along(random), along(random));
    const bool free = std::all_of(atoms.begin(), atoms.end(), [&](const auto& b) { return (atom - b).norm() > 1.5; });
    if (free) atoms.push_back(atom);
  }
  Frame frame;
  frame.own = 1;
  for (const auto& atom : atoms) frame.positions.insert(frame.positions.end(), atom.data(), atom.data() + 3);
  return frame;
}

Frame transformed(const Frame& frame, const Eigen::Affine3d& transform) {
  Frame moved = frame;
  for (std::size_t i = 0; i < moved.positions.size(); i += 3) {
    Eigen::Map<Eigen::Vector3d> atom(&moved.positions[i]);
    atom = transform * Eigen::Vector3d(atom);
  }
  return moved;
}

double largest_relative_difference(const Features& a, const Features& b) {
  const Eigen::ArrayXXd wide_a = a.cast<double>(), wide_b = b.cast<double>();
  return ((wide_a - wide_b).abs() / (wide_a.abs() + 1e-3)).maxCoeff();
}

double smooth_cutoff(double r, double limit) {
  return r < limit ? 0.5 * (std::cos(std::numbers::pi * r / limit) + 1) : 0;
}

/// Behler's G4 of the first atom, written down from the definition, over all ordered pairs.
double angular_by_definition(const Frame& frame, double eta, double zeta, double lambda) {
  const Eigen::Map<const Eigen::Matrix3Xd> x(frame.positions.data(), 3,
                                             static_cast<Eigen::Index>(frame.positions.size() / 3));
  double sum = 0;
  for (Eigen::Index j = 1; j < x.cols(); ++j) {
    for (Eigen::Index k = 1; k < x.cols(); ++k) {
      if (j == k) continue;
      const Eigen::Vector3d to_j = x.col(j) - x.col(0), to_k = x.col(k) - x.col(0);
      const double rj = to_j.norm(), rk = to_k.norm(), rjk = (to_j - to_k).norm();
      const double cosine = to_j.dot(to_k) / (rj * rk);
      sum += std::pow(1 + lambda * cosine, zeta) * std::exp(-eta * (rj * rj + rk * rk + rjk * rjk)) *
             smooth_cutoff(rj, angular_cutoff) * smooth_cutoff(rk, angular_cutoff) * smooth_cutoff(rjk, angular_cutoff);
    }
  }
  return std::pow(2, 1 - zeta) * sum / 2;
}

}  // namespace

TEST_CASE("descriptors do not change when the atoms are moved, turned, mirrored or renumbered") {
  const Descriptors descriptors(radial_cutoff, angular_cutoff);
  for (const std::uint64_t seed : {11U, 12U, 13U}) {
    INFO("seed " << seed);
    const Frame frame = cluster(seed);
    const Features before = descriptors.compute(frame);
    CHECK(before.allFinite());
    CHECK(before.norm() > 0);

    Eigen::Affine3d motion = Eigen::Affine3d::Identity();
    motion.translate(Eigen::Vector3d(3, -7, 11)).rotate(Eigen::AngleAxisd(1.1, Eigen::Vector3d(1, 2, -2).normalized()));
    CHECK(largest_relative_difference(before, descriptors.compute(transformed(frame, motion))) < 1e-5);
    motion.scale(Eigen::Vector3d(1, -1, 1));
    CHECK(largest_relative_difference(before, descriptors.compute(transformed(frame, motion))) < 1e-5);

    Frame renumbered = frame;
    for (std::size_t i = 3; i + 3 < frame.positions.size(); i += 6) {
      std::swap_ranges(&renumbered.positions[i], &renumbered.positions[i] + 3, &renumbered.positions[i + 3]);
    }
    CHECK(largest_relative_difference(before, descriptors.compute(renumbered)) < 1e-5);
  }
}

TEST_CASE("angular descriptors are Behler's G4") {
  const Descriptors descriptors(radial_cutoff, angular_cutoff);
  const Frame frame = cluster(21);
  const Features all = descriptors.compute(frame);
  Eigen::Index row = 32;
  for (const double eta : {0.005, 0.05}) {
    for (const double zeta : {1, 2, 4, 8}) {
      for (const double lambda : {-1, 1}) {
        INFO("eta " << eta << ", zeta " << zeta << ", lambda " << lambda);
        CHECK(all(row++, 0) == doctest::Approx(angular_by_definition(frame, eta, zeta, lambda)).epsilon(1e-5));
      }
    }
  }
  CHECK(row == descriptors.size());
}

TEST_CASE("an atom's descriptors go to zero smoothly as its only neighbour leaves") {
  const Descriptors descriptors(radial_cutoff, angular_cutoff);
  Frame pair;
  pair.own = 1;
  pair.positions = {0, 0, 0, 2.5, 0, 0};
  CHECK(descriptors.compute(pair).norm() > 0.1);
  pair.positions[3] = radial_cutoff - 1e-3;
  CHECK(descriptors.compute(pair).norm() < 1e-6);
  pair.positions[3] = radial_cutoff + 1e-3;
  CHECK(descriptors.compute(pair).norm() == 0);
}

TEST_CASE("ghost atoms of LAMMPS are enough: descriptors equal those from explicit periodic images") {
  MeltSettings settings;
  settings.potential = "/usr/share/lammps/potentials/Cu_u3.eam";
  settings.cells = 4;
  settings.hot_start_kelvin = 3000;
  settings.ghost_angstrom = radial_cutoff;
  Simulation simulation(MPI_COMM_WORLD, settings);
  simulation.heat(2000, 2000, 37);
  simulation.run(37);  // not a step at which neighbour lists, and with them the ghosts, were necessarily rebuilt
  const Frame frame = simulation.frame();
  REQUIRE(frame.own == simulation.atoms());

  Frame explicit_images;
  explicit_images.own = frame.own;
  const auto own_values = frame.positions.begin() + 3 * frame.own;
  explicit_images.positions.assign(frame.positions.begin(), own_values);
  const double edge = settings.cells * settings.lattice_angstrom;
  for (int image = 0; image < 27; ++image) {
    const double shift[3] = {(image % 3 - 1) * edge, (image / 3 % 3 - 1) * edge, (image / 9 - 1) * edge};
    if (image == 13) continue;
    for (std::size_t i = 0; i < 3 * static_cast<std::size_t>(frame.own); ++i) {
      explicit_images.positions.push_back(frame.positions[i] + shift[i % 3]);
    }
  }
  const Descriptors descriptors(radial_cutoff, angular_cutoff);
  CHECK(largest_relative_difference(descriptors.compute(frame), descriptors.compute(explicit_images)) < 1e-4);

  double total = 0;
  for (const double energy : frame.energies) total += energy;
  CHECK(total / frame.own == doctest::Approx(simulation.energy_per_atom()).epsilon(1e-10));
}

TEST_CASE("backpropagation agrees with finite differences, and hands over the last layer first") {
  const std::vector<int> widths = {5, 7, 6, 1};
  BasicMlp<double> model(widths, 31);
  std::mt19937_64 random(32);
  std::normal_distribution<double> normal;
  BasicMlp<double>::Matrix inputs(5, 9), wanted(1, 9);
  for (auto* matrix : {&inputs, &wanted}) {
    for (Eigen::Index i = 0; i < matrix->size(); ++i) matrix->data()[i] = normal(random);
  }
  const auto loss = [&] { return (model.forward(inputs) - wanted).squaredNorm(); };

  auto gradients = model.layers();
  std::vector<int> order;
  const BasicMlp<double>::Matrix slope = 2 * (model.forward(inputs) - wanted);
  model.backward(slope, gradients, [&order](int layer) { order.push_back(layer); });
  CHECK(order == std::vector<int>{2, 1, 0});

  const double h = 1e-6;
  for (std::size_t l = 0; l < gradients.size(); ++l) {
    const auto check_all = [&](double* values, const double* expected, Eigen::Index count) {
      for (Eigen::Index i = 0; i < count; ++i) {
        INFO("layer " << l << ", element " << i);
        const double kept = values[i];
        values[i] = kept + h;
        const double above = loss();
        values[i] = kept - h;
        const double below = loss();
        values[i] = kept;
        CHECK(expected[i] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-6));
      }
    };
    auto& layer = model.layers()[l];
    check_all(layer.weight.data(), gradients[l].weight.data(), layer.weight.size());
    check_all(layer.bias.data(), gradients[l].bias.data(), layer.bias.size());
  }
}

TEST_CASE("what stands before a codec says how models are kept together") {
  const auto is = [](const char* spec, Method method, const char* codec) {
    const MethodAndCodec parts(spec);
    return parts.method == method && parts.codec == codec;
  };
  CHECK(is("topk:ratio=0.01", Method::all_reduce, "topk:ratio=0.01"));
  CHECK(is("mix+topk:ratio=0.01", Method::mix, "topk:ratio=0.01"));
  CHECK(is("push+identity", Method::push, "identity"));
  CHECK(is("pull+identity", Method::all_reduce, "pull+identity"));
}

TEST_CASE("a checkpoint file gives back what was put in, and refuses to be cut short or altered") {
  const auto folder =
      std::filesystem::temp_directory_path() / ("surrogate_test." + std::to_string(std::random_device{}()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "checkpoint";
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Random(3, 4);
  std::string words = "twelve words";
  {
    Archive out;
    out.matrix(matrix);
    out.bytes(words);
    out.save(path);
  }
  Eigen::MatrixXf matrix_back;
  std::string words_back;
  Archive in(path);
  in.matrix(matrix_back);
  in.bytes(words_back);
  CHECK(matrix_back == matrix);
  CHECK(words_back == words);
  double more = 0;
  CHECK_THROWS_WITH_AS(in.value(more), doctest::Contains("ends too early"), std::runtime_error);

  const auto size = std::filesystem::file_size(path);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('\x55');
  }
  CHECK_THROWS_WITH_AS(Archive{path}, doctest::Contains("altered"), std::runtime_error);
  std::filesystem::resize_file(path, size / 2);
  CHECK_THROWS_WITH_AS(Archive{path}, doctest::Contains("cut short"), std::runtime_error);
  std::filesystem::remove_all(folder);
  CHECK_THROWS_WITH_AS(Archive{path}, doctest::Contains("cannot read"), std::runtime_error);
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int failures = doctest::Context(argc, argv).run();
  MPI_Finalize();
  return failures;
}
