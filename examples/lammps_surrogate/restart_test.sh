#!/usr/bin/env bash
# restart_test.sh <lammps_surrogate> <mpirun> [options of mpirun…]
# A run that is continued from a checkpoint must end with the weights of a run that never stopped, to the bit, for every
# codec, and by gossip; and so must the run that saved the checkpoint.
set -euo pipefail

program=$1
shift
mpirun=("$@")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

small=(--cells 4 --hidden 96,64 --epochs 4 --steps 12 --batch 128 --steps-per-snapshot 10 --snapshots 2 --replay 5)
small+=(--config mixing=choco --codecs identity bf16 topk:ratio=0.01 powersgd:rank=4 mix+topk:ratio=0.1)

# fail <sentence> <log>…
fail() {
  echo "$1"
  shift
  cat "$@"
  exit 1
}

# train <name> [options]: the last words of the final table's rows are the hashes of the weights.
train() {
  local name=$1
  shift
  "${mpirun[@]}" "$program" "${small[@]}" --output "$name" "$@" > "$name.out" 2>&1 || fail "the $name run failed" "$name.out"
  grep -oE '[0-9a-f]{16}$' "$name.out" > "$name.hashes" || fail "the $name run printed no hashes" "$name.out"
}

train uninterrupted
train saving --checkpoint half --checkpoint-epoch 2
train restarted --restart half

[ "$(sort -u uninterrupted.hashes | wc -l)" -eq 5 ] || fail "expected five codecs with a hash each" uninterrupted.out
for run in saving restarted; do
  cmp -s uninterrupted.hashes "$run.hashes" || fail "the $run run ended with other weights" uninterrupted.out "$run.out"
done
echo "uninterrupted, saving and restarted runs end with the same weights: $(tr '\n' ' ' < restarted.hashes)"
