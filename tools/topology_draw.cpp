#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "lib/base/error.hpp"
#include "tools/topology.hpp"

extern char** environ;

namespace gossamer::tools {
namespace {

/// Runs a program of the search path; returns its exit status. Throws `system` when there is no such program.
int run_program(const std::string& program, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawnp(&child, program.c_str(), nullptr, nullptr, argv.data(), environ);
  if (error == ENOENT) {
    fail(Status::system, "Graphviz's program '", program,
         "' is not installed: apt-get install graphviz, or write --dot ", "FILE and draw it elsewhere");
  }
  if (error != 0) fail(Status::system, "cannot start '", program, "': ", std::strerror(error));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail(Status::system, "cannot wait for '", program, "': ", std::strerror(errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

void draw_svg(const std::string& dot, const std::string& program, const std::string& path) {
  const std::string source = path + ".dot";
  if (!(std::ofstream(source) << dot)) fail(Status::system, "cannot write '", source, "'");
  int status = 0;
  try {
    status = run_program(program, {program, "-Tsvg", "-Nfontname=sans-serif", "-Gfontname=sans-serif",
                                   "-Efontname=sans-serif", "-o", path, source});
  } catch (...) {
    std::remove(source.c_str());
    throw;
  }
  std::remove(source.c_str());
  if (status != 0) fail(Status::system, "'", program, "' could not draw ", path, ": it ended with status ", status);
}

}  // namespace gossamer::tools
