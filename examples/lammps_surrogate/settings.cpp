#include "settings.hpp"

#include <gossamer/gossamer.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>

namespace surrogate {
namespace {

void add_simulation_options(CLI::App& app, Settings& s) {
  auto* group = app.add_option_group("Simulation");
  group->add_option("--potential", s.melt.potential, "EAM potential of copper, in LAMMPS' eam format")
      ->capture_default_str();
  group->add_option("--cells", s.melt.cells, "fcc cells along each edge of the box: 4 n^3 atoms")
      ->check(CLI::Range(4, 100))
      ->capture_default_str();
  group->add_option("--lattice", s.melt.lattice_angstrom, "lattice constant in Angstrom; fixes the density")
      ->check(CLI::Range(3.0, 5.0))
      ->capture_default_str();
  group->add_option("--timestep", s.melt.timestep_ps, "MD time step in ps")
      ->check(CLI::Range(1e-5, 0.01))
      ->capture_default_str();
  group->add_option("--start-temperature", s.start_kelvin, "thermostat at the start, in K")
      ->check(CLI::Range(1.0, 1e4))
      ->capture_default_str();
  group->add_option("--end-temperature", s.end_kelvin, "thermostat from half of the epochs on, in K; copper melts")
      ->check(CLI::Range(1.0, 1e4))
      ->capture_default_str();
  group->add_option("--steps-per-snapshot", s.steps_per_snapshot, "MD steps between snapshots")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--snapshots", s.snapshots_per_epoch, "snapshots per epoch to train on; one more is held out")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
}

void add_training_options(CLI::App& app, Settings& s) {
  auto* group = app.add_option_group("Training");
  group->add_option("--epochs", s.training.epochs, "epochs: simulate, then train")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--steps", s.training.steps_per_epoch, "training steps per epoch")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--batch", s.training.batch_atoms, "atoms per training step, over all ranks")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--learning-rate", s.training.learning_rate, "Adam's at the start; falls to 0 along a half cosine")
      ->check(CLI::Range(1e-9, 1.0))
      ->capture_default_str();
  group->add_option("--momentum", s.training.momentum, "decay of Adam's first moment")
      ->check(CLI::Range(0.0, 0.999))
      ->capture_default_str();
  group->add_option("--sparse-momentum", s.training.sparse_momentum, "the same for topk codecs")
      ->check(CLI::Range(0.0, 0.999))
      ->capture_default_str();
  group->add_option("--hidden", s.hidden, "widths of the hidden layers")
      ->delimiter(',')
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--replay", s.replay_snapshots, "snapshots that training draws from, the most recent ones")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--held-out", s.held_out_snapshots, "held-out snapshots that are tested on, the most recent ones")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  group->add_option("--seed", s.training.seed, "seed of velocities, initial weights and batches")
      ->capture_default_str();
}

void add_exchange_options(CLI::App& app, Settings& s) {
  auto* group = app.add_option_group("Gradient exchange");
  group
      ->add_option("--codecs", s.codecs,
                   "Gossamer codecs to compare, separated by blanks; mix+CODEC: by gossip, see mixing= in --config; "
                   "push+CODEC: by gossip without rounds")
      ->capture_default_str();
  group->add_option("--config", s.config, "Gossamer configuration, e.g. \"topology=torus:2x2 progress=polling\"");
}

void add_file_options(CLI::App& app, Settings& s) {
  auto* group = app.add_option_group("Files");
  group->add_option("--output", s.output, "prefix of the .csv, .gnuplot, .png and LAMMPS' .log")->capture_default_str();
  group->add_option("--checkpoint", s.checkpoint, "save the run to FILE.* at --checkpoint-epoch, and go on")
      ->type_name("FILE");
  group->add_option("--checkpoint-epoch", s.checkpoint_epoch, "after this epoch; 0 is half of them")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  group->add_option("--restart", s.restart, "continue from FILE.*, under the same options and number of ranks")
      ->type_name("FILE");
  group
      ->add_option("--record", s.record,
                   "write gradients of the dense model to FILE.rank0 ...: six steps of the run, before averaging")
      ->type_name("FILE");
}

bool pushes(const std::string& codec) {
  return MethodAndCodec(codec).method == Method::push;
}

// A codec's name and keys are refused here, where all ranks see the same mistake at once and nothing has started yet.
void check_codecs(const std::vector<std::string>& codecs) {
  const std::size_t dims[2] = {64, 64};
  std::vector<float> values(dims[0] * dims[1], 1.0F);
  std::size_t bytes = 0;
  for (const std::string& codec : codecs) {
    if (goss_codec_apply(MethodAndCodec(codec).codec.c_str(), values.data(), values.data(), 2, dims, 0, &bytes) !=
        GOSS_OK) {
      throw UsageError("--codecs: " + std::string(goss_last_error()));
    }
    if (std::count(codecs.begin(), codecs.end(), codec) > 1) throw UsageError("--codecs: " + codec + " is there twice");
    if (pushes(codec) && MethodAndCodec(codec).codec != dense_codec) {
      throw UsageError("--codecs: " + codec + ": models are pushed as they are, by push+" + dense_codec);
    }
  }
}

void check_folder(const std::string& option, const std::string& file) {
  const auto folder = std::filesystem::path(file).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw UsageError(option + ": there is no folder " + folder.string());
  }
}

void check_record(const Settings& s) {
  if (s.record.empty()) return;
  if (std::count(s.codecs.begin(), s.codecs.end(), dense_codec) == 0) {
    throw UsageError("--record: it writes the gradients of the dense model, so --codecs has to name " +
                     std::string(dense_codec));
  }
  if (!s.restart.empty()) throw UsageError("--record: the steps before --restart are gone; record the whole run");
}

// What is under way between the ranks is in nobody's checkpoint.
void check_checkpoint(const Settings& s) {
  if (s.checkpoint.empty() && s.restart.empty()) return;
  if (std::any_of(s.codecs.begin(), s.codecs.end(), pushes)) {
    throw UsageError("--checkpoint and --restart are not for codecs with push+, which always have models under way");
  }
}

void finish(Settings& s) {
  if (!std::filesystem::exists(s.melt.potential)) {
    throw UsageError("--potential: there is no file " + s.melt.potential +
                     " (Debian's package lammps-data has it; elsewhere look for Cu_u3.eam in LAMMPS' sources)");
  }
  check_folder("--output", s.output);
  check_folder("--checkpoint", s.checkpoint);
  check_folder("--record", s.record);
  check_record(s);
  const int last = s.training.epochs - 1;
  if (s.checkpoint_epoch == 0) s.checkpoint_epoch = s.training.epochs / 2;
  if (!s.checkpoint.empty() && (s.checkpoint_epoch < 1 || s.checkpoint_epoch > last)) {
    throw UsageError("--checkpoint-epoch: " + std::to_string(s.checkpoint_epoch) + " is not between 1 and " +
                     std::to_string(last) + ", the last epoch but one");
  }
  check_codecs(s.codecs);
  check_checkpoint(s);
  s.melt.seed = s.training.seed;
  s.melt.hot_start_kelvin = 2 * s.start_kelvin;  // half of it goes into the springs of the perfect crystal
  s.melt.ghost_angstrom = s.radial_cutoff;
  s.melt.log = s.output + ".log";
}

}  // namespace

std::string Settings::fingerprint(int ranks) const {
  std::ostringstream text;
  text.precision(17);
  text << "ranks=" << ranks << " cells=" << melt.cells << " lattice=" << melt.lattice_angstrom
       << " timestep=" << melt.timestep_ps << " start-temperature=" << start_kelvin << " end-temperature=" << end_kelvin
       << " steps-per-snapshot=" << steps_per_snapshot << " snapshots=" << snapshots_per_epoch
       << " epochs=" << training.epochs << " steps=" << training.steps_per_epoch << " batch=" << training.batch_atoms
       << " learning-rate=" << training.learning_rate << " momentum=" << training.momentum
       << " sparse-momentum=" << training.sparse_momentum << " replay=" << replay_snapshots
       << " held-out=" << held_out_snapshots << " seed=" << training.seed << " config=" << config << " hidden=";
  for (const int width : hidden) text << width << ',';
  text << " codecs=";
  for (const std::string& codec : codecs) text << codec << ' ';
  return text.str();
}

bool parse(int argc, char** argv, bool print, Settings& s) {
  s.melt.potential = "/usr/share/lammps/potentials/Cu_u3.eam";
  CLI::App app(
      "Melts copper in LAMMPS and trains a neural potential beside it, once for every codec of the gradient "
      "exchange.\nStart it with LAMMPS' MPI, for example: mpirun -np 4 lammps_surrogate",
      "lammps_surrogate");
  add_simulation_options(app, s);
  add_training_options(app, s);
  add_exchange_options(app, s);
  add_file_options(app, s);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    if (print) std::cout << app.help();
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what() + std::string("; --help lists the options"));
  }
  finish(s);
  return true;
}

}  // namespace surrogate
