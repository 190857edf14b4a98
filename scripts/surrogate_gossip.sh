#!/usr/bin/env bash
# surrogate_gossip.sh [-s "SEED…"] [-r RATE] [PROGRAM]: trains the LAMMPS surrogate on four hosts of RATE [100mbit], made by
# netlab.sh (as root), by all-reduces and by every kind of gossip, once for each seed [1 2 3]. Prints the table of
# docs/gossip.md, and draws docs/img/surrogate_gossip.svg of the first seed (gnuplot; apt: gnuplot-nox). A quarter of an hour a seed.
# PROGRAM: by default the release preset's lammps_surrogate.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")

seeds=(1 2 3)
rate=100mbit
while getopts "s:r:h" option; do
  case $option in
    s) read -ra seeds <<< "$OPTARG" ;;
    r) rate=$OPTARG ;;
    *) sed -n '2,5s/^# //p' "$root/scripts/surrogate_gossip.sh"; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
program=$(realpath "${1:-$root/build/release/examples/lammps_surrogate/lammps_surrogate}")
cd "$root"
for tool in "$program" gnuplot; do
  command -v "$tool" >/dev/null || { echo "surrogate_gossip: there is no $tool" >&2; exit 2; }
done
netlab=(scripts/netlab.sh -l surrogate -s 10.79.0)

# Steps an epoch; codecs as the program takes them, each a row of the table; configuration. The last two exchange nothing.
runs="
50 identity,topk:ratio=0.01
25 identity
10 identity
2 identity
50 mix+topk:ratio=0.01,mix+topk:ratio=0.1,mix+efsign mixing=choco
75 mix+topk:ratio=0.01 mixing=choco
50 mix+identity mixing=average
50 mix+identity mixing=average weights=lazy
50 mix+identity mixing=push-sum topology=exponential
50 mix+identity mixing=push-sum topology=exponential weights=lazy
50 mix+identity mixing=mean every=4
50 mix+identity mixing=mean every=20 outer=nesterov
50 push+identity topology=exponential
50 push+identity topology=exponential staleness=1
50 push+identity mixing=pairwise
150 push+identity topology=exponential
150 push+identity topology=exponential weights=lazy
50 mix+identity mixing=mean every=1000000
150 mix+identity mixing=mean every=1000000
"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${netlab[@]}" up 4 "$rate"
trap '"${netlab[@]}" down; rm -rf "$folder"' EXIT

count=$(grep -c . <<< "$runs")
for seed in "${seeds[@]}"; do
  number=0
  while read -r steps codecs config; do
    [ -n "$steps" ] || continue
    number=$((number + 1))
    [ ! -t 2 ] || echo "seed $seed, run $number of $count: $codecs, $steps steps an epoch, $config" >&2
    # shellcheck disable=SC2086  # a list of codecs
    if ! "${netlab[@]}" openmpi 4 -- "$program" --hidden 256,128 --epochs 30 --seed "$seed" \
      --steps "$steps" --codecs ${codecs//,/ } --config "$config" --output "$folder/$seed.$number" \
      > "$folder/out" 2>&1 < /dev/null; then
      cat "$folder/out" >&2
      exit 1
    fi
    awk -v steps="$steps" -v config="$config" '/^codec / { table = 1 } /^ratio:/ { table = 0 }
      table && $2 ~ /^[0-9.naif-]+$/ { print steps * 30 "\t" $1 "\t" config "\t" $2 "\t" $3 "\t" $5 "\t" $6 }' \
      "$folder/out" >> "$folder/rows"
  done <<< "$runs"
done

awk -F '\t' '
  BEGIN {
    print "| codec | configuration | steps | RMSE (meV/atom) | of each seed | MB sent by a rank | fewer bytes | training (s) | waiting (s) |"
    print "|---|---|---:|---:|---|---:|---:|---:|---:|"
  }
  {
    key = $1 FS $2 FS $3
    if (!(key in runs)) order[++rows] = key
    ++runs[key]
    list[key] = list[key] (runs[key] > 1 ? ", " : "") $4
    rmse[key] += $4; sent[key] += $5; training[key] += $6; waiting[key] += $7
  }
  END {
    dense = sent[order[1]]
    for (i = 1; i <= rows; ++i) {
      key = order[i]
      split(key, part, FS)
      n = runs[key]
      printf "| `%s` | %s | %d | %.2f | %s | %.1f | %.1f× | %.1f | %.1f |\n", part[2], part[3] == "" ? "" : "`" part[3] "`",
        part[1], rmse[key] / n, list[key], sent[key] / n, dense / sent[key], training[key] / n, waiting[key] / n
    }
  }' "$folder/rows"

# Of the csv: a column for each of the epoch's seven values, then six for each codec: the second is the error, the third
# are bytes, the fourth seconds.
curve() {  # run, codec in it, title, line: the plot's element; x is set by the caller
  local first=$((7 + 6 * ($2 - 1)))
  echo "'$folder/${seeds[0]}.$1.csv' skip 1 using (column($first + $column) / $unit):$((first + 2)) with lines lw 2 $4 title '$3'"
}
panel() {
  echo "plot $(curve 1 1 'all-reduce' 'lc "black"'), \\"
  echo "  $(curve 1 2 'all-reduce, topk 1 %' 'dt 2 lc "black"'), \\"
  echo "  $(curve 5 1 'choco, topk 1 %' 'dt 2 lc "#3182bd"'), \\"
  echo "  $(curve 6 1 'choco, topk 1 %, 2250 steps' 'lc "#3182bd"'), \\"
  echo "  $(curve 7 1 'average' 'dt 2 lc "#888888"'), \\"
  echo "  $(curve 8 1 'average, lazy' 'lc "#888888"'), \\"
  echo "  $(curve 11 1 'mean every 4th step' 'dt 2 lc "#31a354"'), \\"
  echo "  $(curve 12 1 'every 20th, Nesterov' 'lc "#31a354"'), \\"
  echo "  $(curve 13 1 'push, pull' 'dt 2 lc "#d95f0e"'), \\"
  echo "  $(curve 16 1 'push, pull, 4500 steps' 'lc "#d95f0e"')"
}
{
  cat <<'PLOT'
set terminal svg size 1160,440 font "sans-serif,12" background "white"
set output "docs/img/surrogate_gossip.svg"
set datafile separator ","
set multiplot
set size 0.39,1
set logscale xy
set format x "%g"
set yrange [3:40]
set ytics (3, 4, 5, 7, 10, 15, 20, 30, 40)
set grid
set ylabel "energy RMSE on held-out snapshots (meV/atom)"
set xlabel "MB sent by a rank"
set xrange [0.5:700]
set key off
PLOT
  column=3 unit=1e6
  panel
  echo 'set size 0.61,1; set origin 0.39,0; set key outside right center; set xlabel "training (s)"; set xrange [0.05:60]'
  column=4 unit=1
  panel
} | gnuplot
