#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that need no build. Usage:
#   lint.sh format                     clang-format over every C++ and proto file, shellcheck over every script
#   lint.sh fix                        applies clang-format
#   lint.sh cppcheck                   cppcheck over every C++ source that has changed since its last run here; deploy/cppcheck says what it
#                                      need not say
#   lint.sh tidy BUILD_DIR FOLDER...   clang-tidy over the sources in FOLDER that differ from HEAD, or all of them when none does
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' '*.proto'; }

check_scripts() {
  local scripts
  mapfile -t scripts < <(git ls-files --cached --others --exclude-standard -- '*.sh' '.ci/run')
  shellcheck "${scripts[@]}"
  echo "shellcheck: ${#scripts[@]} scripts are fine."
}

run_cppcheck() {
  local sources results=build/cppcheck
  mapfile -t sources < <(git ls-files --cached --others --exclude-standard -- '*.cc')
  mkdir -p "$results"
  cppcheck -j "$(nproc)" --quiet "--cppcheck-build-dir=$results" --error-exitcode=1 --template=gcc --std=c++20 --language=c++ -I . \
    --enable=warning,portability --check-level=exhaustive --library=posix --library=googletest --library=deploy/cppcheck/library.cfg \
    --suppressions-list=deploy/cppcheck/suppressions.txt "${sources[@]}"
  echo "cppcheck: ${#sources[@]} sources are fine."
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
  cppcheck) run_cppcheck ;;
  tidy) shift; tidy "$@" ;;
  *) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
