#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that need no build. Usage:
#   lint.sh format                     clang-format over every tracked C++ and proto file, bash -n over every script
#   lint.sh fix                        applies clang-format
#   lint.sh tidy BUILD_DIR FOLDER...   clang-tidy over the sources in FOLDER that differ from HEAD, or all of them when none does
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' '*.proto'; }

check_scripts() {
  local script
  for script in $(git ls-files -- '*.sh' '.ci/run'); do bash -n "$script"; done
  echo "Shell syntax: $(git ls-files -- '*.sh' '.ci/run' | wc -l) scripts are fine."
}

tidy() {
  local build=$1
  shift
  local files
  files=$(git diff --name-only --diff-filter=d HEAD -- "${@/%//*.cc}")
  if [ -z "$files" ]; then files=$(git ls-files -- "${@/%//*.cc}"); fi
  if [ -z "$files" ]; then echo "No sources in $*."; return; fi
  printf '%s\n' "$files" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build" 2>/dev/null
  echo "clang-tidy: $(printf '%s\n' "$files" | wc -l) files are fine."
}

case ${1:-} in
  format)
    sources | xargs clang-format --dry-run -Werror || { echo "Formatting differs; 'make format' applies it." >&2; exit 1; }
    echo "Formatting: $(sources | wc -l) files are fine."
    check_scripts
    ;;
  fix) sources | xargs clang-format -i ;;
  tidy) shift; tidy "$@" ;;
  *) sed -n '3,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
