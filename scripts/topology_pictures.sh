#!/usr/bin/env bash
# topology_pictures.sh: draws docs/img/topology_*.svg, eight ranks on two hosts. Needs g++ and Graphviz (apt: graphviz).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v fdp >/dev/null || { echo "fdp is missing: apt-get install graphviz" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/to_dot.cpp" <<'CPP'
#include <iostream>

#include "topology/topology.hpp"

int main(int, char** arguments) {
  std::vector<gossamer::Place> places(8);
  for (std::size_t rank = 4; rank < places.size(); ++rank) places[rank].host = 1;
  std::cout << gossamer::Topology::from_spec(arguments[1], places).to_dot(places);
}
CPP
# shellcheck disable=SC2046
g++ -std=c++20 -I. "$work/to_dot.cpp" topology/*.cpp lib/base/spec.cpp $(pkg-config --cflags --libs hwloc) -o "$work/to_dot"

for spec in ring torus:4x2 hypercube complete; do
  name=${spec%%:*}
  "$work/to_dot" "$spec" | fdp -Tsvg -Nfontname=sans-serif -Gfontname=sans-serif >"docs/img/topology_$name.svg"
done
