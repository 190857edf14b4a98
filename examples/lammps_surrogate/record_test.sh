#!/usr/bin/env bash
# record_test.sh <lammps_surrogate> <gossamer> <mpirun> [options of mpirun…]
# What --record writes, `gossamer codecs` reads: as many tensors as it should, the same on every rank, and not the same
# values. Two runs write the same bytes, although another model learns by push and pull beside. A recording that is cut
# short is refused.
set -euo pipefail

program=$1
gossamer=$2
shift 2
mpirun=("$@")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "$1"
  cat -- *.out
  exit 1
}

for run in first second; do
  "${mpirun[@]}" "$program" --cells 4 --hidden 96,64 --epochs 2 --steps 6 --batch 128 --steps-per-snapshot 10 --snapshots 2 \
    --codecs identity push+identity --output "$run" --record "$run" > "$run.out" 2>&1 || fail "the $run run failed"
  awk '/would be wrong by/ { guess = $(NF - 1) } $1 == "push+identity" && $2 ~ /^[0-9.]+$/ { pushed = $2; sent = $3 }
    END { exit !(pushed > 0 && pushed < guess && sent > 0) }' "$run.out" || fail "the model that is pushed and pulled does not learn"
done
cmp first.rank0 second.rank0 || fail "two equal runs recorded different gradients"
! cmp -s first.rank0 first.rank1 || fail "two ranks recorded the same gradients"

"$gossamer" codecs --input first.rank0 --input first.rank1 --codec identity --codec int8 > codecs.out 2>&1 ||
  fail "gossamer codecs refused the recording"
# Six steps of three layers' weights and biases; 48 x 96 + 96 x 64 + 64 x 1 weights and 96 + 64 + 1 biases.
grep -q "36 recorded tensors of $((6 * (48 * 96 + 96 * 64 + 64 + 96 + 64 + 1))) values together, of 2 ranks" codecs.out ||
  fail "the recording holds something else"
# Without the biases and the last layer's weights.
"$gossamer" codecs --input first.rank0 --at-least 1024 --codec int8 > large.out 2>&1 || fail "--at-least was refused"
grep -q "12 recorded tensors of $((6 * (48 * 96 + 96 * 64))) values" large.out || fail "--at-least leaves out something else"

head -c 5000 first.rank0 > cut
if "$gossamer" codecs --input cut > cut.out 2>&1; then fail "a recording that is cut short was accepted"; fi
grep -q "no recording of gradients" cut.out || fail "the refusal does not say why"
echo "recorded and read back: $(grep '^# .* recorded' codecs.out)"
