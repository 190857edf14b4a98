#!/usr/bin/env bash
# scripts/test.sh [release|debug|asan|tsan] [ctest arguments…]
# Installs what is missing, builds, and runs the tests: all of them (release, debug), or the suites that run inside
# one process (asan, tsan). Quiet until the summary; a failure says what failed and how to run it again.
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=${1:-release}
[ $# -eq 0 ] || shift
case $preset in
  release|debug|asan|tsan) ;;
  *) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
esac
build "$preset"

# The tests say themselves which configuration they want.
# shellcheck disable=SC2086  # a list of names
unset ${!GOSSAMER_@}

log=$logs/test-$preset.log
arguments=(--preset "$preset" --no-label-summary -j "$(nproc)")
[ ! -t 1 ] || echo "Testing (log: build/logs/test-$preset.log) …"
if ctest "${arguments[@]}" "$@" >"$log" 2>&1; then
  tail -n 4 "$log" | grep -v '^$'
  exit 0
fi

# The output of what failed comes after its "***" line and before the next "Start" or result line.
sed -n '/\*\*\*/,/^ *\(Start *[0-9]*:\|[0-9]*\/[0-9]* Test\)/p' "$log" | tail -n 200
echo "== $preset: some tests failed; all output is in ${log#"$root"/}"
echo "Again, only those: ctest --preset $preset --rerun-failed --output-on-failure"
sed -n '/tests passed,/,$p' "$log" | grep -v '^Errors while\|^$'
exit 1
