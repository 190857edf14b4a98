#!/usr/bin/env bash
# gossip_plot.sh [CONVERGENCE_GOSSIP]: draws docs/img/gossip_training.svg, what accuracy costs in bytes while a classifier
# trains by all-reduces and by gossip. Needs the test's program (by default the release preset's) and gnuplot (apt:
# gnuplot-nox). Takes half a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-build/release/tests/convergence/convergence_gossip}
data=$(mktemp)
trap 'rm -f "$data"' EXIT

"$program" --curves "$data"

curve() {  # mixing, topology, codec: kilobytes and accuracy
  awk -F'\t' -v m="$1" -v t="$2" -v c="$3" '$1 == m && $2 == t && $3 == c { print $4, $5 }' "$data"
}

gnuplot <<PLOT
set terminal svg size 840,520 font "sans-serif,13" background "white"
set output "docs/img/gossip_training.svg"
set logscale x
set xrange [10:40000]
set yrange [40:100]
set xlabel "kB sent by a rank"
set ylabel "accuracy of the mean model (%)"
set key bottom right
set grid
\$dense << END
$(curve all-reduce ring identity)
END
\$sparse << END
$(curve all-reduce ring topk:ratio=0.01)
END
\$average << END
$(curve average ring identity)
END
\$base << END
$(curve average base:k=1 identity)
END
\$choco30 << END
$(curve choco ring topk:ratio=0.3)
END
\$choco10 << END
$(curve choco ring topk:ratio=0.1)
END
\$choco3 << END
$(curve choco ring topk:ratio=0.03)
END
\$choco1 << END
$(curve choco ring topk:ratio=0.01)
END
\$sign << END
$(curve choco ring efsign)
END
plot \$dense with lines lw 2 lc "black" title "all-reduce", \
  \$sparse with lines lw 2 dt 2 lc "black" title "all-reduce, topk 1 %", \
  \$average with lines lw 2 lc "#888888" title "average, ring", \
  \$base with lines lw 2 dt 2 lc "#888888" title "average, base:k=1", \
  \$choco30 with lines lw 2 lc "#08519c" title "choco, topk 30 %", \
  \$choco10 with lines lw 2 lc "#3182bd" title "choco, topk 10 %", \
  \$choco3 with lines lw 2 lc "#6baed6" title "choco, topk 3 %", \
  \$choco1 with lines lw 2 lc "#9ecae1" title "choco, topk 1 %", \
  \$sign with lines lw 2 lc "#d95f0e" title "choco, efsign"
PLOT
