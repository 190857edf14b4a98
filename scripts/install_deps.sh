#!/usr/bin/env bash
# Installs the Debian packages that Gossamer needs and this machine lacks. Silent when nothing is missing.
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config ccache                      # build
  libucx-dev ucx-utils libhwloc-dev libhwy-dev                 # transport, placement, SIMD
  libboost-graph-dev libeigen3-dev libcli11-dev                # header libraries
  doctest-dev nlohmann-json3-dev iproute2                      # those of the tests, and their hosts
  openmpi-bin libopenmpi-dev mpich libmpich-dev                # both MPIs, for tests and examples
  gfortran python3                                             # bindings
  liblammps-dev lammps-data gnuplot-nox                        # the simulation of the demonstration, its picture
  python3-sklearn                                              # its digits, which the convergence tests train on
)

if ! command -v dpkg-query >/dev/null; then
  echo "This is not a Debian system. Install what these Debian packages hold, then run cmake --preset release:"
  echo "  ${packages[*]}"
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "These packages are missing, and neither root nor sudo is at hand to install them. As root, run:"
    echo "  apt-get update && ${install[*]}"
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing ${missing[*]}"
log=$(mktemp)
if ! "${as_root[@]}" apt-get update >"$log" 2>&1 ||
   ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" >>"$log" 2>&1; then
  tail -n 20 "$log"
  echo "Installing failed (all of it: $log). By hand, as root: apt-get update && ${install[*]}"
  exit 1
fi
rm -f "$log"
