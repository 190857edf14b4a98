#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace surrogate {
namespace {

constexpr int column_width = 19;

// Columns of the .csv: those of the epoch, then `codec_columns` per codec.
constexpr int epoch_columns = 7;
constexpr int codec_columns = 6;

std::ofstream open(const std::string& path) {
  std::ofstream out(path);
  if (!out) throw std::runtime_error("cannot write " + path);
  return out;
}

}  // namespace

Report::Report(std::vector<std::string> codecs, std::string output)
    : codecs_(std::move(codecs)), output_(std::move(output)) {}

void Report::heading() const {
  std::printf(
      "order: 1 in the perfect crystal, near 0 in the melt. Errors of the energy in meV/atom. guess: of always\n"
      "guessing the mean. Then for every codec of the gradient exchange: on training atoms / on held-out ones.\n\n");
  std::printf("epoch  MD step  T (K)  E (eV/atom)  order  guess");
  for (const std::string& codec : codecs_) std::printf("%*s", column_width, codec.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void Report::epoch(const EpochRecord& record) const {
  std::printf("%5d  %7lld  %5.0f  %11.4f  %5.2f  %5.1f", record.epoch, static_cast<long long>(record.md_step),
              record.temperature, record.energy_per_atom, record.order, record.baseline_mev);
  for (const CodecRecord& codec : record.codecs) {
    std::printf("%*.2f / %6.2f", column_width - 9, codec.train_mev, codec.test_mev);
  }
  std::printf("\n");
  std::fflush(stdout);
}

void Report::table(const EpochRecord& last, const std::vector<std::uint64_t>& hashes) const {
  std::printf("\nHeld-out snapshots; guessing their mean energy would be wrong by %.1f meV/atom.\n", last.baseline_mev);
  std::printf("%-18s %13s %14s %8s %10s %10s %10s   %s\n", "codec", "RMSE", "sent per rank", "ratio", "training",
              "waiting", "codec", "final weights");
  std::printf("%-18s %13s %14s %8s %10s %10s %10s\n", "", "(meV/atom)", "(MB)", "", "(s)", "(s)", "(s)");
  for (std::size_t c = 0; c < codecs_.size(); ++c) {
    const CodecRecord& codec = last.codecs[c];
    std::printf("%-18s %13.2f %14.2f %8.1f %10.2f %10.2f %10.2f   %016llx\n", codecs_[c].c_str(), codec.test_mev,
                codec.bytes_sent / 1e6, last.codecs[0].bytes_sent / codec.bytes_sent, codec.train_seconds,
                codec.wait_seconds, codec.codec_seconds, static_cast<unsigned long long>(hashes[c]));
  }
  std::printf(
      "ratio: bytes of %s over the codec's. waiting: part of the training spent in goss_wait_all, or goss_push and "
      "goss_pull.\n",
      codecs_[0].c_str());
  std::fflush(stdout);
}

void Report::curves(const std::vector<EpochRecord>& history) const {
  write_data(history);
  write_script(history);
  const std::string draw = "gnuplot '" + output_ + ".gnuplot'";
  if (std::system(draw.c_str()) == 0) {
    std::printf("Curves: %s.png, their data: %s.csv\n", output_.c_str(), output_.c_str());
  } else {
    std::printf(
        "No picture, since gnuplot did not run (Debian's package gnuplot-nox); data: %s.csv, script: %s.gnuplot\n",
        output_.c_str(), output_.c_str());
  }
}

void Report::write_data(const std::vector<EpochRecord>& history) const {
  std::ofstream out = open(output_ + ".csv");
  out << "epoch,md_step,time_ps,temperature_K,energy_eV_per_atom,crystal_order,held_out_deviation_meV";
  for (const std::string& codec : codecs_) {
    for (const char* what :
         {"train_rmse_meV", "held_out_rmse_meV", "sent_bytes_per_rank", "training_s", "waiting_s", "codec_s"}) {
      out << ",\"" << codec << ' ' << what << '"';
    }
  }
  out << '\n';
  for (const EpochRecord& r : history) {
    out << r.epoch << ',' << r.md_step << ',' << r.time_ps << ',' << r.temperature << ',' << r.energy_per_atom << ','
        << r.order << ',' << r.baseline_mev;
    for (const CodecRecord& c : r.codecs) {
      out << ',' << c.train_mev << ',' << c.test_mev << ',' << static_cast<std::uint64_t>(c.bytes_sent) << ','
          << c.train_seconds << ',' << c.wait_seconds << ',' << c.codec_seconds;
    }
    out << '\n';
  }
}

void Report::write_script(const std::vector<EpochRecord>& history) const {
  double lowest = history.back().baseline_mev, highest = lowest;
  for (const EpochRecord& record : history) {
    highest = std::max(highest, record.baseline_mev);
    for (const CodecRecord& codec : record.codecs) lowest = std::min(lowest, codec.test_mev);
  }
  std::ofstream out = open(output_ + ".gnuplot");
  const std::string data = "'" + output_ + ".csv' skip 1 using ";
  const auto curves = [&](const std::string& x_scale, std::size_t x_column) {
    for (std::size_t c = 0; c < codecs_.size(); ++c) {
      const std::size_t first = epoch_columns + codec_columns * c;
      const std::size_t x = x_column > 0 ? x_column : first + 3;
      out << ", \\\n  " << data << "($" << x << x_scale << "):" << first + 2
          << " with linespoints pointtype 7 pointsize 0.5 linecolor rgb colour[" << c % 6 + 1 << "] title '"
          << codecs_[c] << "' noenhanced";
    }
  };
  out << "# Data: " << output_ << ".csv\n"
      << "set terminal pngcairo size 1500,660 font 'sans,13' linewidth 1.6\nset output '" << output_ << ".png'\n"
      << "set datafile separator ','\nset grid linecolor rgb '#dddddd' linetype 1\nset border linewidth 0.8\n"
      << "array colour[6] = ['#1f4e9c', '#2a9d8f', '#e07a1f', '#b5179e', '#6c757d', '#7a5c00']\n"
      << "set multiplot layout 1,2 title 'Neural potential of melting copper, trained inside LAMMPS' font ',16'\n"
      << "set logscale y\nset yrange [" << lowest / 2 << ':' << highest * 5
      << "]\nset ylabel 'energy RMSE on held-out snapshots (meV/atom)'\nset key top right\n"
      << "set xlabel 'simulated time (ps)'\nset y2label 'crystal order' textcolor rgb '#777777'\nset y2range [0:2]\n"
      << "set y2tics 0,0.5,1 textcolor rgb '#777777' offset -0.5\nset y2label offset -2,-8\nset ytics nomirror\n"
      << "plot " << data << "3:6 axes x1y2 with filledcurves y=0 fillcolor rgb '#eeeeee' title 'crystal order', \\\n  "
      << data << "3:7 with lines dashtype 2 linecolor rgb '#888888' title 'guessing the mean'";
  curves("", 3);
  out << "\nunset y2tics\nunset y2label\nset ytics mirror\nset logscale x\nset format x '%g'\n"
      << "set xlabel 'sent per rank (MB)'\n"
      << "plot " << history.back().baseline_mev
      << " with lines dashtype 2 linecolor rgb '#888888' title 'guessing the mean'";
  curves("/1e6", 0);
  out << "\nunset multiplot\n";
}

}  // namespace surrogate
