#!/usr/bin/env bash
# scripts/codec_table.sh [options of gossamer codecs…]
# Records gradients of a short training of the surrogate example, measures every codec on them, and puts the table into
# docs/codecs.md. Takes about a minute on two cores once built; other load makes its rates worse.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build release lammps_surrogate
build release gossamer_command
bin=$root/build/release
page=$root/docs/codecs.md
out=$root/out/codec_table
mkdir -p "$out"
cd "$out"

quietly codec-table.log "Recording gradients" mpirun.openmpi -n 4 "$bin/examples/lammps_surrogate/lammps_surrogate" \
  --epochs 10 --codecs identity --record gradients
inputs=()
for rank in 0 1 2 3; do inputs+=(--input "gradients.rank$rank"); done
"$bin/tools/gossamer" codecs --markdown "${inputs[@]}" "$@" > table.md

{
  sed '/^<!-- measured: begin -->$/q' "$page"
  cat table.md
  echo
  echo "On one core of: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)."
  sed -n '/^<!-- measured: end -->$/,$p' "$page"
} > page.md
cp page.md "$page"
echo "The table is in docs/codecs.md"
