#!/usr/bin/env bash
# netlab_failure.sh PROGRAM: runs the failure tests between hosts in a lab of four. Exit code 77, which ctest takes for
# "skipped", where network namespaces are not to be had.
set -euo pipefail
lab=fail$$
netlab() { "$(dirname "$0")/../scripts/netlab.sh" -l "$lab" -s 10.79.0 "$@"; }

netlab up 4 1gbit || { code=$?; echo "SKIPPED: nothing between hosts was tested"; exit $code; }
trap 'netlab down' EXIT
GOSSAMER_LAB=$lab "$@"
