#!/usr/bin/env bash
# netlab_check.sh GOSSAMER: all-reduces between hosts that share nothing but a network, and what the laboratory
# promises about itself. Exit code 77 where network namespaces are not to be had.
# shellcheck disable=SC2016  # the hosts expand
set -euo pipefail
gossamer=$1
netlab() { "$(dirname "$0")/../scripts/netlab.sh" -l "$lab" -s 10.78.0 "$@"; }
lab=ctest$$

netlab up 3 1gbit || exit $?
trap 'netlab down' EXIT

echo "== laws between hosts"
for codec in identity int8 topk:ratio=0.05 powersgd:rank=2; do
  netlab run 3 -- "$gossamer" perf --check --codec "$codec" -b 64 -e 1M -f 128 -n 2 -w 1
done

echo "== hosts share no memory and no process ids"
netlab run 2 -- sh -c 'touch /dev/shm/mine$RANK; sleep 0.2; test "$(ls /dev/shm)" = mine$RANK'
netlab run 2 -- sh -c 'test "$(ps -e | wc -l)" -lt 20'

echo "== the first failure is returned, whichever rank's it is"
code=0
netlab run 3 -- sh -c 'exit $((RANK == 1 ? 7 : 0))' || code=$?
test "$code" = 7
code=0
netlab run 3 -- sh -c 'test $RANK != 2 || kill -KILL $$' || code=$?
test "$code" = 137

echo "== ranks placed on two hosts by turns: a ring by measured links crosses twice"
# Ranks 0 and 2 on the first host, 1 and 3 on the second. Any ring that crosses twice has 2 beside 0.
text=$(netlab run 2 -- sh -c '
  export WORLD_SIZE=4
  "$0" info --topology ring:order=measured & first=$!
  RANK=$((RANK + 2)) "$0" info --topology ring:order=measured
  wait $first' "$gossamer")
echo "$text"
grep -q '^neighbours:.* 2 (same host)' <<< "$text"

echo "== hosts in two racks by turns: so it does between racks, which no host map tells"
netlab down
netlab up 4 1gbit 2 50mbit
text=$(netlab run 4 -- "$gossamer" info --topology ring:order=measured)
echo "$text"
grep -q '^neighbours:.* 2 (other host)' <<< "$text"
text=$(netlab run 4 -- "$gossamer" info --topology auto)
echo "$text"
grep -q 'racks of 2, 2 hosts' <<< "$text"
grep -q '^chosen: ring:order=measured' <<< "$text"

echo "== nothing is left"
netlab down
netlab status | grep -q 'is down'
if ip netns list | grep "gosslab-$lab-"; then exit 1; fi
