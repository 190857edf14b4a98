#!/usr/bin/env bash
# scripts/demo.sh [arguments of lammps_surrogate…]
# Trains a neural interatomic potential inside a running LAMMPS simulation: four MPI ranks, gradients averaged over a
# compressed ring. Installs and builds what is missing first. Takes about three minutes on two cores.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build release lammps_surrogate
out=$root/out/demo
mkdir -p "$out"
cd "$out"
started=$(mktemp)
trap 'rm -f "$started"' EXIT

program=$root/build/release/examples/lammps_surrogate/lammps_surrogate
if ! mpirun.openmpi -n 4 "$program" "$@"; then
  echo "The demonstration failed. Again: cd $out && mpirun.openmpi --oversubscribe -n 4 $program $*"
  exit 1
fi
find "$out" -newer "$started" \( -name '*.png' -o -name '*.svg' \) -printf 'Picture: %p\n'
