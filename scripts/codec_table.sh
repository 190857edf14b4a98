#!/usr/bin/env bash
# scripts/codec_table.sh
# Records gradients of a short training of the surrogate example, measures codecs on them, and puts the tables into
# docs/codecs.md: every codec with its defaults, and what papers' headline figures are compared with. Takes about a minute
# on two cores once built; other load makes its rates worse.
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
measure=("$bin/tools/gossamer" codecs --markdown)
for rank in 0 1 2 3; do measure+=(--input "gradients.rank$rank"); done

headlines=(natural terngrad qsgd:bits=3 qsgd:bits=5 qsgd:bits=7 efsign onebit signsgd
  3lc 3lc:sparsity=1.75 3lc:sparsity=1.9 inceptionn dettmers8 fp8 thc
  aji dgc stc strom dryden qsparse gtopk oktopk sketchml randomk sketch
  powersgd:rank=1 powersgd:rank=2 powersgd:rank=4 gradiveq)
codecs=()
for spec in "${headlines[@]}"; do codecs+=(--codec "$spec"); done

"${measure[@]}" > measured.md
"${measure[@]}" --at-least 1024 "${codecs[@]}" > headlines.md
{
  echo
  echo "On one core of: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)."
} >> measured.md

# put NAME: NAME.md between the page's marks of that name.
put() {
  sed "/^<!-- $1: begin -->\$/q" "$page"
  cat "$1.md"
  sed -n "/^<!-- $1: end -->\$/,\$p" "$page"
}
for name in measured headlines; do
  put "$name" > page.md
  cp page.md "$page"
done
echo "The tables are in docs/codecs.md"
