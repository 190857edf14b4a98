#pragma once

#include <mpi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace surrogate {

/// What is simulated. Lengths in Å, temperatures in K, times in ps: LAMMPS' `metal` units.
struct MeltSettings {
  std::string potential;           ///< an EAM potential of copper in LAMMPS' `eam` format
  int cells = 5;                   ///< fcc cells along each edge of the periodic box: 4 · cells³ atoms
  double lattice_angstrom = 3.80;  ///< lattice constant: fixes the density; 3.80 is that of the melt at 2000 K
  std::string log = "none";        ///< file for LAMMPS' own log
  double timestep_ps = 0.002;
  double hot_start_kelvin = 0;  ///< temperature that the velocities of the perfect crystal are drawn at
  double ghost_angstrom = 0;    ///< how far ghost atoms must reach around a rank's own atoms, at any step
  std::uint64_t seed = 1;
};

/// A rank's view of one instant. Own atoms first, then ghosts: copies of other ranks' atoms and periodic images.
struct Frame {
  std::int64_t step = 0;
  int own = 0;
  std::vector<double> positions;  ///< x, y, z of own atoms and ghosts, Å
  std::vector<double> energies;   ///< potential energy of each own atom, eV
};

/// A copper melt in LAMMPS, spread over the ranks of an MPI communicator. All calls are collective and blocking, and
/// throw std::runtime_error with LAMMPS' own words.
class Simulation {
 public:
  /// Opens LAMMPS and builds the crystal, with velocities drawn at `hot_start_kelvin`. Call `heat` before `run`.
  Simulation(MPI_Comm comm, const MeltSettings& settings);
  /// Opens LAMMPS and continues from what `reopen` wrote to `restart_file`.
  Simulation(MPI_Comm comm, const MeltSettings& settings, const std::string& restart_file);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Couples a Nosé–Hoover thermostat whose temperature goes linearly from one value to the other during the next
  /// `steps` steps, in however many `run` calls. Once after opening and once after each `reopen`.
  void heat(double from_kelvin, double to_kelvin, int steps);
  void run(int steps);
  [[nodiscard]] Frame frame();
  [[nodiscard]] double temperature();      ///< K
  [[nodiscard]] double energy_per_atom();  ///< potential energy, eV
  [[nodiscard]] double time_ps();
  [[nodiscard]] std::int64_t atoms();

  /// How much of the crystal is left, collective over `comm` of the constructor: |Σ exp(i k·r)| / atoms over the three
  /// (200) reflections; 1 for the perfect lattice, near 0 for the melt.
  [[nodiscard]] double crystal_order();

  /// Writes the whole state to `restart_file`, forgets it, and reads it back.
  /// Continuing is then the same computation as starting a new process from that file: the order of atoms, the ages of
  /// neighbour lists and everything else that a restart file does not hold begin afresh in both.
  void reopen(const std::string& restart_file);

 private:
  void open();
  void command(const std::string& line);
  void build_crystal();
  void read_state(const std::string& restart_file);
  void set_up_forces();

  MeltSettings settings_;
  MPI_Comm comm_;
  void* lammps_ = nullptr;
  std::int64_t ramp_start_ = 0;
  std::int64_t ramp_stop_ = 0;
};

}  // namespace surrogate
