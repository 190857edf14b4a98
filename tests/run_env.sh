#!/usr/bin/env bash
# run_env.sh RANKS PORT COMMAND…: ranks as plain processes that find each other by RANK, WORLD_SIZE, MASTER_ADDR and
# MASTER_PORT. Returns the exit code of the first that failed.
set -euo pipefail
export WORLD_SIZE=$1 MASTER_ADDR=127.0.0.1 MASTER_PORT=$2
shift 2
for ((rank = 0; rank < WORLD_SIZE; ++rank)); do
  RANK=$rank "$@" &
done
first=0
for ((rank = 0; rank < WORLD_SIZE; ++rank)); do
  code=0
  wait -n || code=$?
  [ $first -ne 0 ] || first=$code
done
exit "$first"
