#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Usage: bench.sh DIR   Runs every benchmark program in DIR, one after the other.
set -euo pipefail
dir=${1:?usage: bench.sh DIR}
shopt -s nullglob
programs=("$dir"/*)
if [ ${#programs[@]} = 0 ]; then
  echo "bench.sh: expected benchmark programs in $dir, found none" >&2
  exit 1
fi
for program in "${programs[@]}"; do
  printf '\n%s\n' "$(basename "$program")"
  "$program" --benchmark_min_time=0.2s --benchmark_counters_tabular=true
done
