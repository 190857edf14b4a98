#include "simulation.hpp"

#define LAMMPS_LIB_MPI
#include <lammps/library.h>

#include <array>
#include <complex>
#include <numbers>
#include <sstream>
#include <stdexcept>

namespace surrogate {
namespace {

constexpr double skin_angstrom = 1.0;
constexpr double thermostat_damping_ps = 0.1;

template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream line;
  line.precision(17);
  (line << ... << parts);
  return line.str();
}

}  // namespace

Simulation::Simulation(MPI_Comm comm, const MeltSettings& settings) : settings_(settings), comm_(comm) {
  open();
  build_crystal();
  set_up_forces();
  command(text("velocity all create ", settings_.hot_start_kelvin, " ", settings_.seed,
               " mom yes rot yes dist gaussian loop geom"));
}

Simulation::Simulation(MPI_Comm comm, const MeltSettings& settings, const std::string& restart_file)
    : settings_(settings), comm_(comm) {
  open();
  read_state(restart_file);
}

Simulation::~Simulation() {
  if (lammps_) lammps_close(lammps_);
}

void Simulation::open() {
  // LAMMPS takes char*, and keeps none of it.
  std::array<std::string, 6> words = {"lammps", "-log", settings_.log, "-screen", "none", "-nocite"};
  std::array<char*, 6> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  lammps_ = lammps_open(static_cast<int>(arguments.size()), arguments.data(), comm_, nullptr);
  if (!lammps_) throw std::runtime_error("LAMMPS did not open");
}

void Simulation::command(const std::string& line) {
  lammps_command(lammps_, line.c_str());
  if (lammps_config_has_exceptions() && lammps_has_error(lammps_)) {
    std::array<char, 1024> message{};
    lammps_get_last_error_message(lammps_, message.data(), static_cast<int>(message.size()));
    throw std::runtime_error("LAMMPS refused '" + line + "': " + message.data());
  }
}

void Simulation::build_crystal() {
  command("units metal");
  command("boundary p p p");
  command("atom_style atomic");
  command("atom_modify map array");
  command(text("lattice fcc ", settings_.lattice_angstrom));
  const int n = settings_.cells;
  command(text("region box block 0 ", n, " 0 ", n, " 0 ", n));
  command("create_box 1 box");
  command("create_atoms 1 box");
}

void Simulation::set_up_forces() {
  command("pair_style eam");
  command("pair_coeff * * " + settings_.potential);
  command(text("neighbor ", skin_angstrom, " bin"));
  command("neigh_modify every 1 delay 0 check yes");
  // Ghosts are chosen when neighbour lists are built and may drift half a skin each before the next time.
  command(text("comm_modify cutoff ", settings_.ghost_angstrom + skin_angstrom));
  command(text("timestep ", settings_.timestep_ps));
  command("compute pe_atom all pe/atom");
  // LAMMPS tallies per-atom energies only on steps that announce they need them; a thermo column that sums them
  // announces the last step of every run.
  command("compute pe_sum all reduce sum c_pe_atom");
  command("thermo_style custom step temp pe c_pe_sum");
  command("thermo 1000000000");
}

void Simulation::heat(double from_kelvin, double to_kelvin, int steps) {
  // After read_restart, the first fix of the same id and style takes over the old one's state.
  command(text("fix thermostat all nvt temp ", from_kelvin, " ", to_kelvin, " ", thermostat_damping_ps));
  ramp_start_ = static_cast<std::int64_t>(lammps_get_thermo(lammps_, "step"));
  ramp_stop_ = ramp_start_ + steps;
}

void Simulation::run(int steps) {
  command(text("run ", steps, " start ", ramp_start_, " stop ", ramp_stop_));
}

Frame Simulation::frame() {
  auto** x = static_cast<double**>(lammps_extract_atom(lammps_, "x"));
  auto* energy = static_cast<double*>(lammps_extract_compute(lammps_, "pe_atom", LMP_STYLE_ATOM, LMP_TYPE_VECTOR));
  const int own = lammps_extract_setting(lammps_, "nlocal");
  const int all = own + lammps_extract_setting(lammps_, "nghost");
  if (own > 0 && (!x || !energy)) throw std::runtime_error("LAMMPS has no positions or energies of its atoms");
  Frame frame;
  frame.step = static_cast<std::int64_t>(lammps_get_thermo(lammps_, "step"));
  frame.own = own;
  frame.energies.assign(energy, energy + own);
  frame.positions.reserve(3 * static_cast<std::size_t>(all));
  for (int i = 0; i < all; ++i) frame.positions.insert(frame.positions.end(), x[i], x[i] + 3);
  return frame;
}

double Simulation::temperature() {
  return lammps_get_thermo(lammps_, "temp");
}

double Simulation::energy_per_atom() {
  return lammps_get_thermo(lammps_, "pe") / lammps_get_natoms(lammps_);
}

double Simulation::time_ps() {
  return lammps_get_thermo(lammps_, "step") * settings_.timestep_ps;
}

std::int64_t Simulation::atoms() {
  return static_cast<std::int64_t>(lammps_get_natoms(lammps_));
}

double Simulation::crystal_order() {
  auto** x = static_cast<double**>(lammps_extract_atom(lammps_, "x"));
  const int own = lammps_extract_setting(lammps_, "nlocal");
  const double k = 4 * std::numbers::pi / settings_.lattice_angstrom;
  std::array<std::complex<double>, 3> waves{};
  for (int i = 0; i < own; ++i) {
    for (std::size_t axis = 0; axis < 3; ++axis) waves[axis] += std::polar(1.0, k * x[i][axis]);
  }
  MPI_Allreduce(MPI_IN_PLACE, waves.data(), 6, MPI_DOUBLE, MPI_SUM, comm_);
  return (std::abs(waves[0]) + std::abs(waves[1]) + std::abs(waves[2])) / (3 * lammps_get_natoms(lammps_));
}

void Simulation::reopen(const std::string& restart_file) {
  command("write_restart " + restart_file);
  command("clear");
  read_state(restart_file);
}

void Simulation::read_state(const std::string& restart_file) {
  command("atom_modify map array");
  command("read_restart " + restart_file);
  set_up_forces();
}

}  // namespace surrogate
