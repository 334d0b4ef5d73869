#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that run nothing of what was built. Usage:
#   lint.sh format                     clang-format over every C++ and proto file, shellcheck over every script
#   lint.sh fix                        applies clang-format
#   lint.sh cppcheck                   cppcheck over every C++ source that has changed since its last run here; deploy/cppcheck says what it
#                                      need not say
#   lint.sh buf                        buf's rules over proto/, and, when a release v0.1.0 or later is tagged, no change that breaks its clients;
#                                      buf comes through npm, in the version of deploy/buf. The one check that runs outside the build root
#   lint.sh complexity BUILD_DIR       clang-tidy's cognitive complexity, at most what .clang-tidy says, of every function outside of tests and
#                                      benchmarks, in sources that differ from those of its last run here, or that include a header that does;
#                                      the target `generated` is to be built there first
#   lint.sh tidy BUILD_DIR FOLDER...   clang-tidy over the sources in FOLDER that differ from HEAD, or all of them when none does
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc' '*.proto' ':!third_party'; }

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

# Makes build/buf/node_modules when the lock file has changed since.
install_buf() {
  mkdir -p build/buf
  if cmp -s deploy/buf/package-lock.json build/buf/installed.json; then return; fi
  cp deploy/buf/package.json deploy/buf/package-lock.json build/buf
  (cd build/buf && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
  cp deploy/buf/package-lock.json build/buf/installed.json
}

# The latest tag of a release that promises to stay compatible; nothing when there is none yet.
promised_release() {
  local tag
  tag=$(git tag --list 'v[0-9]*.[0-9]*.[0-9]*' --sort=-version:refname | grep -v -- - | head -n 1 || true)
  if [ -n "$tag" ] && printf 'v0.1.0\n%s\n' "$tag" | sort --version-sort --check=quiet; then printf '%s' "$tag"; fi
}

run_buf() {
  if ! command -v npm >/dev/null; then
    echo "buf: left out, there is no npm here (Debian: npm)."
    return
  fi
  install_buf
  local buf=build/buf/node_modules/.bin/buf release
  "$buf" lint
  echo "buf: proto/ follows the rules of buf.yaml."
  release=$(promised_release)
  if [ -z "$release" ]; then
    echo "buf: no release is tagged yet, so the wire may change."
    return
  fi
  rm -rf build/buf/release
  mkdir build/buf/release
  git archive "$release" buf.yaml proto third_party | tar -x -C build/buf/release
  "$buf" breaking --against build/buf/release
  echo "buf: nothing breaks the clients of $release."
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

# A digest of a source, of the project's headers that it includes itself, and of the rules.
complexity_digest() {
  {
    cat .clang-tidy "$1"
    sed -n 's/^#include "\(.*\)".*/\1/p' "$1" | while read -r header; do
      if [ -e "$header" ]; then cat "$header"; fi
    done
  } | sha256sum | cut -c 1-64
}

complexity_of() {
  local build=$1 results=$2 source=$3 stamp
  stamp=$results/$(complexity_digest "$source")
  if [ -e "$stamp" ]; then return; fi
  # The compile commands are the other compiler's: some of its options and its precompiled headers are not for clang.
  clang-tidy --quiet -p "$build" '--checks=-*,readability-function-cognitive-complexity' --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-ignored-gch "$source" 2>/dev/null
  touch "$stamp"
}

complexity() {
  local build=$1 results=build/complexity sources
  mapfile -t sources < <(git ls-files --cached --others --exclude-standard -- '*.cc' ':!tests' ':!benchmarks')
  mkdir -p "$results"
  export -f complexity_of complexity_digest
  printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I '{}' bash -euc 'complexity_of "$@"' _ "$build" "$results" '{}'
  echo "complexity: ${#sources[@]} sources are fine."
}

case ${1:-} in
  format)
    sources | xargs clang-format --dry-run -Werror || { echo "Formatting differs; 'make format' applies it." >&2; exit 1; }
    echo "Formatting: $(sources | wc -l) files are fine."
    check_scripts
    ;;
  fix) sources | xargs clang-format -i ;;
  cppcheck) run_cppcheck ;;
  buf) run_buf ;;
  complexity) complexity "${2:?lint.sh complexity: expected a build directory}" ;;
  tidy) shift; tidy "$@" ;;
  *) sed -n '3,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
