#!/usr/bin/env bash
# topology_pictures.sh [GOSSAMER]: draws docs/img/topology_*.svg. Needs the gossamer command (by default the release
# preset's) and Graphviz (apt: graphviz).
set -euo pipefail
cd "$(dirname "$0")/.."
gossamer=${1:-build/release/tools/gossamer}

draw() {  # name, then arguments of gossamer topology
  local name=$1
  shift
  "$gossamer" topology "$@" --svg "docs/img/topology_$name.svg" >/dev/null
}

for spec in ring torus:4x2 hypercube complete; do
  draw "${spec%%:*}" "$spec" --ranks 8 --hosts 2
done
draw exponential exponential --ranks 8
draw one_peer_exponential one-peer-exponential --ranks 8
draw base base:k=1 --ranks 6
draw moshpit moshpit:3x3 --ranks 9
draw equitopo equitopo:variant=OD,M=3 --ranks 9 --seed 1
draw matching matching:rounds=3 --ranks 8
draw random_regular random-regular:degree=3 --ranks 12
draw small_world small-world:k=4,p=0.1 --ranks 16 --seed 2
draw erdos_renyi erdos-renyi:p=0.25 --ranks 12
draw grid grid:3x4 --ranks 12 --layout neato
draw barbell barbell --ranks 8 --layout neato
