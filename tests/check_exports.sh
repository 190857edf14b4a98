#!/usr/bin/env bash
# check_exports.sh LIBRARY HEADER: the library exports the functions that the header declares, and nothing else.
set -euo pipefail
library=$1 header=$2

exported=$(nm -D --defined-only "$library" | awk '{print $3}' | sort)
declared=$(grep '^GOSS_API' "$header" | grep -oE 'goss_[a-z_]+\(' | tr -d '(' | sort)
if ! difference=$(diff <(echo "$declared") <(echo "$exported")); then
  echo "$library does not export exactly what $header declares"
  echo "(< declared only, > exported only):"
  echo "$difference"
  exit 1
fi
echo "$(wc -l <<<"$exported") functions declared and exported"
