#!/usr/bin/env bash
# surrogate.sh [--all] [--epochs N] [--markdown] <lammps_surrogate> <mpirun> [options of mpirun…]
# Do the surrogate potentials of a LAMMPS simulation learn under codecs as well as without? Trains them for three seeds
# and prints the error of the energy on snapshots that they never saw, mean over the seeds, beside dense. Fails when a
# mean is further above dense than its method may be. --all: every codec of the library, none judged. See
# docs/convergence.md.
set -euo pipefail

seeds=(1 2 3)
epochs=12
style=text
every=0
while [ $# -gt 0 ]; do
  case $1 in
    --all) every=1; shift ;;
    --epochs) epochs=$2; shift 2 ;;
    --markdown) style=markdown; shift ;;
    *) break ;;
  esac
done
program=$(realpath "$1")  # the runs have a folder of their own
shift
mpirun=("$@")

# Adam's momentum; codec; by how many percent its error may exceed dense with momentum. What rounds far below the noise of
# batches: 5. What claims no loss: 15, where a third less training costs dense 24. What its paper lets lose 2 % of a
# classifier's accuracy: 25.
judged="
0.9 identity 0
0.9 bf16 5
0.9 int8 5
0.9 natural 5
0.9 qsgd 15
0.9 terngrad 25
0.9 powersgd:rank=4 15
0.9 topk:ratio=0.01 15
"
# Momentum is 0 where codecs have their own, or where error feedback holds an entry back for long.
every_codec="
0.9 identity -
0 identity -
0.9 fp16 -
0.9 bf16 -
0.9 fp8 -
0.9 int8 -
0.9 dettmers8 -
0.9 inceptionn -
0.9 natural -
0.9 efsign -
0 efsign -
0 onebit -
0.9 3lc -
0 3lc -
0.9 terngrad -
0.9 qsgd -
0.9 natural_dithering -
0.9 lpc -
0.9 thc -
0.9 signsgd -
0 signum -
0 topk:ratio=0.01 -
0.9 threshold:v=0.001 -
0 aji:ratio=0.01 -
0 dgc:ratio=0.01,warmup=100 -
0.9 sgc:ratio=0.01 -
0 variance -
0 stc:ratio=0.01 -
0 qsparse:ratio=0.01 -
0.9 wangni:ratio=0.1 -
0 gtopk:ratio=0.01 -
0 oktopk:ratio=0.01 -
0 strom:tau=0.001 -
0 dryden:ratio=0.01 -
0 sketchml:ratio=0.01 -
0 randomk:ratio=0.1 -
0 randomblock:ratio=0.1 -
0 sketch -
0.9 powersgd:rank=4 -
0.9 lowrank:rank=4 -
0.9 gradzip:rank=4 -
0.9 gradiveq:refresh=20 -
0.9 gradiveq:refresh=20,ef=off -
0.9 atomo:budget=0.1 -
0.9 atomo:budget=0.1,basis=svd -
"
table=$judged
[ "$every" = 0 ] || table=$every_codec

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
grep . <<< "$table" > methods
mapfile -t momenta < <(cut -d ' ' -f 1 methods | sort -u)

for seed in "${seeds[@]}"; do
  for momentum in "${momenta[@]}"; do
    mapfile -t codecs < <(awk -v momentum="$momentum" '$1 == momentum { print $2 }' methods)
    if ! "${mpirun[@]}" "$program" --hidden 256,128 --epochs "$epochs" --momentum "$momentum" --seed "$seed" \
      --codecs "${codecs[@]}" > run.out 2>&1; then
      cat run.out
      echo "Training with seed $seed and momentum $momentum failed"
      exit 1
    fi
    # The table at the end: codec, RMSE, MB sent, ratio, …
    awk -v momentum="$momentum" '/^codec / { table = 1 } /^ratio:/ { table = 0 }
      table && $2 ~ /^[0-9.naif-]+$/ { print momentum, $1, $2, $4 }' run.out >> results
  done
done

awk -v seeds="${#seeds[@]}" -v style="$style" '
  FNR == NR { order[++count] = $1 " " $2; allowed[$1 " " $2] = $3; next }
  { key = $1 " " $2; sum[key] += $3; list[key] = list[key] (key in ratio ? ", " : "") $3; ratio[key] = $4; runs[key]++ }
  END {
    text = "%-32s %8s %6s %8s %9s %8s  %s\n"
    if (style == "markdown") {
      text = "| `%s` | %s | %s | %s | %s | %s | %s |\n"
      print "| codec | momentum | ratio | RMSE (meV/atom) | to dense | may lose | of each seed |"
      print "|---|---:|---:|---:|---:|---:|---|"
    } else {
      printf text, "codec", "momentum", "ratio", "RMSE", "to dense", "allowed", "of each seed"
    }
    dense = sum["0.9 identity"]
    for (i = 1; i <= count; ++i) {
      key = order[i]
      split(key, part, " ")
      if (runs[key] != seeds) { print "surrogate: no result of " key > "/dev/stderr"; failed = 1; continue }
      loss = 100 * (sum[key] / dense - 1)
      limit = allowed[key]
      printf text, part[2], part[1], ratio[key], sprintf("%.2f", sum[key] / seeds), sprintf("%+.1f %%", loss),
        limit == "-" ? "-" : limit " %", list[key]
      if (limit != "-" && !(loss <= limit)) {
        printf "surrogate: %s ends %.1f %% above dense; it may end %s %%\n", part[2], loss, limit > "/dev/stderr"
        failed = 1
      }
    }
    exit failed
  }' methods results
