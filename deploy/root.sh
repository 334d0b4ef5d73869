#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian 13 build environment. Usage:
#   root.sh ensure          makes the environment; does nothing when it is there
#   root.sh run COMMAND...  runs COMMAND in it, in the checkout
#   root.sh shell           opens a shell in it
#   root.sh where           says which environment `run` would use
#   root.sh mirror          says which Debian mirror it would be made from
#
# Debian 13: the host itself, with the packages of deploy/packages.txt installed by apt-get. Any other Linux: a Docker image if a Docker daemon
# answers, else a Debian 13 tree made by mmdebstrap, under ${XDG_CACHE_HOME:-~/.cache}/hanas, named after the package list.
#
# Read from the environment: HANAS_ROOT_MODE (native, docker or chroot; default: the first that fits), HANAS_DEBIAN_MIRROR (default: the one
# the host's apt uses), HANAS_DATA_DIR (data sets; made visible inside), CCACHE_DIR, CI, MAKEFLAGS, CMAKE_BUILD_PARALLEL_LEVEL.
set -euo pipefail

readonly script_version=1  # part of the cache key: raise it when a root must be made differently
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repository=$(dirname "$here")
packages_file=$here/packages.txt
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hanas
readonly fallback_mirror=http://deb.debian.org/debian  # Debian's own default, when the host's apt names no Debian mirror

say() { printf '    %s\n' "$*"; }
fail() {  # message lines
  printf 'error: %s\n' "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
  exit 3
}

packages() { awk '!/^#/ && NF { print $1 }' "$packages_file"; }
cache_key() { { grep -v '^#' "$packages_file"; echo "script $script_version"; } | sha256sum | cut -c1-12; }
root_path() { printf '%s/root-%s' "$cache" "$(cache_key)"; }
image_name() { printf 'hanas-root:%s' "$(cache_key)"; }

# shellcheck source=/dev/null  # a file of the system
is_debian_13() { [ "$(. /etc/os-release 2>/dev/null && printf '%s-%s' "${ID:-}" "${VERSION_ID:-}")" = debian-13 ]; }
is_root() { [ "$(id -u)" = 0 ]; }
docker_answers() { command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1; }
as_root() { if is_root; then "$@"; else sudo "$@"; fi; }
can_be_root() { is_root || command -v sudo >/dev/null; }

# ---- which environment ----------------------------------------------------------------------------------------------------------------------

mode() {
  if [ -n "${HANAS_ROOT_MODE:-}" ]; then
    case $HANAS_ROOT_MODE in
      native | docker | chroot) printf '%s' "$HANAS_ROOT_MODE" ;;
      *) fail "HANAS_ROOT_MODE: expected native, docker or chroot, found '$HANAS_ROOT_MODE'" ;;
    esac
  elif is_debian_13; then printf native
  elif [ -e "$(root_path)/.hanas-complete" ]; then printf chroot
  elif docker_answers && [ ! -e "$cache/docker-unusable-$(cache_key)" ]; then printf docker
  else printf chroot
  fi
}

# ---- Debian 13 itself -----------------------------------------------------------------------------------------------------------------------

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii *//p' | sort -u)
  comm -23 <(packages | sort -u) <(printf '%s\n' "$installed")
}

ensure_native() {
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  if [ -z "${missing// /}" ]; then return; fi
  say "This is Debian 13. Missing packages: $missing"
  if ! can_be_root; then
    fail "these packages are missing and there is neither root nor sudo to install them." \
      "Have an administrator run:" "  apt-get install --no-install-recommends $missing"
  fi
  say "Installing them with apt-get (about 2 minutes, up to 2 GB)$(is_root || printf '; sudo may ask for your password')."
  as_root apt-get update -q
  # shellcheck disable=SC2086  # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

# ---- a Debian mirror ------------------------------------------------------------------------------------------------------------------------

# The first Debian mirror among the host's apt sources, in either of apt's two formats. Archives of security updates are not mirrors.
host_mirror() {
  local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
  cat "${files[@]}" 2>/dev/null |
    sed -nE 's/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]*)?([^[:space:]]+).*/\2/p; s/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p' |
    grep -E '^(https?|file|copy):.*debian/?$' | head -n 1 || true
}

mirror() {
  local found=${HANAS_DEBIAN_MIRROR:-$(host_mirror)}
  printf '%s' "${found:-$fallback_mirror}"
}

# ---- a tree made by mmdebstrap --------------------------------------------------------------------------------------------------------------

check_chroot_tools() {
  can_be_root || fail "this is not Debian 13, no Docker daemon answers, and making a Debian 13 tree needs root." \
    "Start Docker, or run this as root, or install sudo."
  if ! command -v mmdebstrap >/dev/null; then
    command -v apt-get >/dev/null || fail "this is not Debian 13 and neither a running Docker nor mmdebstrap is here." \
      "Start a Docker daemon, or install mmdebstrap with your distribution's package manager."
    say "mmdebstrap makes the Debian 13 tree and is not installed. Installing it with apt-get (about 20 s)."
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends mmdebstrap
  fi
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || fail "Debian's signing keys are missing on this host." \
    "Install the package debian-archive-keyring (Ubuntu: apt-get install debian-archive-keyring) and try again."
  as_root unshare --mount true 2>/dev/null || fail "this host does not let root make private mounts (unshare --mount)." \
    "In a container, start it with the capability SYS_ADMIN, or use Debian 13 as its image."
  local free_kib
  free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
  [ "$free_kib" -ge 4000000 ] || fail "the build root needs 4 GB while it is made, $((free_kib / 1000000)) GB are free in $cache." \
    "Free some space, or point XDG_CACHE_HOME at a larger disk."
}

ensure_chroot() {
  local root stamp
  root=$(root_path) stamp=$(root_path)/.hanas-complete
  if [ -e "$stamp" ]; then return; fi
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  if ! flock -n 9; then
    say "Another process is making the build root; waiting for it."
    flock 9
    if [ -e "$stamp" ]; then return; fi
  fi
  check_chroot_tools
  local from temporary started
  from=$(mirror) temporary=$root.part started=$(date +%s)
  as_root rm -rf --one-file-system "$temporary" "$root"
  exec 8>&2  # the trap may run while the output of a command is redirected
  trap 'echo "    Interrupted. Nothing half-made is used; the next call starts over." >&8; exit 130' INT TERM
  say "This is not Debian 13: making a Debian 13 tree in $root"
  say "from $from (1 to 3 minutes, 2 GB; once, until deploy/packages.txt changes)."
  make_tree "$temporary" "$from" || fail "making the Debian 13 tree failed; the output is in $cache/root.log:" "$(log_end)"
  as_root "$here/enter-root.sh" "$temporary" "$repository" sh -ec 'echo "int main() {}" | g++ -x c++ - -o /dev/null; cmake --version; protoc --version' \
    >>"$cache/root.log" 2>&1 9>&- || fail "the new Debian 13 tree cannot compile a program; the output is in $cache/root.log:" "$(log_end)"
  as_root touch "$temporary/.hanas-complete"
  as_root mv -T "$temporary" "$root"
  trap - INT TERM
  exec 9>&-
  say "Made in $(($(date +%s) - started)) s."
  local old
  for old in "$cache"/root-????????????; do
    if [ "$old" != "$root" ]; then say "An older build root can be removed: $old"; fi
  done
}

log_end() { tail -n 5 "$cache/root.log" | cut -c1-300; }

make_tree() {  # directory, mirror
  local options=(--mode=root --variant=apt --format=directory "--include=$(packages | paste -sd,)")
  local proxy scheme
  for scheme in http https; do
    proxy=$(apt-config dump "Acquire::$scheme::Proxy" 2>/dev/null | sed -n 's/.*"\(.*\)";/\1/p')
    if [ -n "$proxy" ]; then options+=("--aptopt=Acquire::$scheme::Proxy \"$proxy\""); fi
  done
  # Documentation is left out of the tree; the archives are not kept in it.
  options+=('--dpkgopt=path-exclude=/usr/share/man/*' '--dpkgopt=path-exclude=/usr/share/locale/*')
  as_root mmdebstrap "${options[@]}" trixie "$1" "$2" >"$cache/root.log" 2>&1 9>&-
}

# ---- Docker ---------------------------------------------------------------------------------------------------------------------------------

ensure_docker() {
  if docker image inspect "$(image_name)" >/dev/null 2>&1; then return; fi
  mkdir -p "$cache"
  say "This is not Debian 13 and Docker answers: building the image $(image_name) (2 to 4 minutes, 2 GB; once, until deploy/packages.txt changes)."
  if docker build --network host -t "$(image_name)" --build-arg "packages=$(packages | tr '\n' ' ')" - >"$cache/docker.log" 2>&1 <<'DOCKERFILE'
FROM debian:trixie
ARG packages
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages && rm -rf /var/lib/apt/lists/*
DOCKERFILE
  then return; fi
  tail -n 3 "$cache/docker.log" | sed 's/^/    /'
  if [ "${HANAS_ROOT_MODE:-}" = docker ]; then fail "the image could not be built; the output is in $cache/docker.log"; fi
  say "The image could not be built (log: $cache/docker.log); using mmdebstrap instead."
  touch "$cache/docker-unusable-$(cache_key)"
  ensure_chroot
}

# ---- running --------------------------------------------------------------------------------------------------------------------------------

# NAME=VALUE words for the command. Object files are shared between build directories and clones: the compiler cache sees paths relative to the
# checkout. Git may read the checkout whoever owns it.
inner_environment() {
  printf '%s\n' "OMP_WAIT_POLICY=passive" "CCACHE_DIR=$CCACHE_DIR" "CCACHE_BASEDIR=$repository" "CCACHE_NOHASHDIR=1" "CCACHE_MAXSIZE=5G" \
    "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime" "LANG=C.UTF-8" "LC_ALL=C.UTF-8" \
    "CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" "GIT_CONFIG_COUNT=1" "GIT_CONFIG_KEY_0=safe.directory" "GIT_CONFIG_VALUE_0=*"
  local name
  for name in CI MAKEFLAGS HANAS_DATA_DIR TERM; do
    if [ -n "${!name:-}" ]; then printf '%s\n' "$name=${!name}"; fi
  done
}

prepare_paths() {
  export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
  mkdir -p "$CCACHE_DIR" "$cache/home"
  if [ -n "${HANAS_DATA_DIR:-}" ]; then
    [ -d "$HANAS_DATA_DIR" ] || fail "HANAS_DATA_DIR: expected a directory, found '$HANAS_DATA_DIR'"
    HANAS_DATA_DIR=$(cd "$HANAS_DATA_DIR" && pwd -P)
    export HANAS_DATA_DIR
  fi
}

run() {
  prepare_paths
  local chosen environment
  chosen=$(mode)
  mapfile -t environment < <(inner_environment)
  cd "$repository"
  case $chosen in
    native) exec env "${environment[@]}" "$@" ;;
    docker) run_docker "$@" ;;
    chroot) run_chroot "$@" ;;
  esac
}

run_chroot() {
  [ -e "$(root_path)/.hanas-complete" ] || fail "there is no build root yet: expected $(root_path)" "Run: deploy/root.sh ensure"
  local privilege=() who
  who="$(id -u):$(id -g)"
  if ! is_root; then privilege=(sudo); fi
  # sudo drops the environment, so what the script reads is passed as words. The host's library and temporary paths mean nothing inside.
  exec "${privilege[@]}" env -u LD_LIBRARY_PATH -u LD_PRELOAD -u TMPDIR HANAS_ENTER_BIND="$CCACHE_DIR $cache/home ${HANAS_DATA_DIR:-}" HANAS_ENTER_USER="$who" \
    "$here/enter-root.sh" "$(root_path)" "$repository" env HOME="$cache/home" "${environment[@]}" "$@"
}

run_docker() {
  local options=(--rm --init --interactive --network host --user "$(id -u):$(id -g)" --workdir "$repository"
    --volume "$repository:$repository" --volume "$CCACHE_DIR:$CCACHE_DIR" --volume "$cache/home:$cache/home" --env "HOME=$cache/home")
  if [ -t 0 ] && [ -t 1 ]; then options+=(--tty); fi
  if [ -n "${HANAS_DATA_DIR:-}" ]; then options+=(--volume "$HANAS_DATA_DIR:$HANAS_DATA_DIR"); fi
  local word
  for word in "${environment[@]}"; do options+=(--env "$word"); done
  exec docker run "${options[@]}" "$(image_name)" "$@"
}

ensure() {
  local chosen
  chosen=$(mode)
  case $chosen in
    native) ensure_native ;;
    docker) ensure_docker ;;
    chroot) ensure_chroot ;;
  esac
}

where() {
  local chosen
  chosen=$(mode)
  case $chosen in
    native) echo "this Debian 13 host" ;;
    docker) echo "Docker image $(image_name)" ;;
    chroot) root_path && echo ;;
  esac
}

main() {
  local command=${1:-}
  if [ $# -gt 0 ]; then shift; fi
  [ "$(uname -s)" = Linux ] || fail "HA-NAS builds on Linux; this is $(uname -s)." "Use a Linux machine, virtual machine or container."
  case $command in
    ensure) ensure ;;
    run) [ $# -gt 0 ] || fail "root.sh run: expected a command"; run "$@" ;;
    shell) run bash ;;
    where) where ;;
    mirror) mirror ;;
    *) sed -n '3,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
}

main "$@"
