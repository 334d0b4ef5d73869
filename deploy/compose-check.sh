#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the images of docker-compose.yml, runs the service for real, and takes a search from its submission to exported models while each of
# its parts is killed once (deploy/compose_scenario.py). Removes everything that it made. Usage: compose-check.sh [--keep-images]
#
# Takes the Docker engine that answers (with BuildKit: 18.09 or newer). Where none does and this runs as root, it starts one of its own, in a
# network namespace and a directory of its own, and ends it afterwards; that needs the packages docker.io, docker-compose, slirp4netns,
# iproute2, iptables and mmdebstrap. Exit status: 0 it works; 1 it does not; 3 it cannot be run here, with the reason.
#
# Read from the environment: DEBIAN_IMAGE (default debian:trixie-slim, else a base that mmdebstrap makes), CCACHE_DIR (a compiler cache to begin
# with; default: that of deploy/root.sh, when it is there; "none": none), HANAS_DOCKERD_ARGS (more arguments for an engine of our own).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repository=$(dirname "$here")
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hanas
work=$cache/compose-check
started=$(date +%s)
keep_images=
readonly targets=(coordinator worker agent cli prometheus)

announce() { printf '\n==> [%4d s] %s\n' $(($(date +%s) - started)) "$*"; }
say() { printf '    %s\n' "$*"; }
cannot() {
  printf 'compose-check: this cannot be run here: %s\n' "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '               %s\n' "$@" >&2; fi
  exit 3
}

# ---- an engine ------------------------------------------------------------------------------------------------------------------------------

# What precedes a command that is to reach the published ports: nothing, or the way into the engine's network.
inside=()

answers() { timeout 10 docker info >/dev/null 2>&1; }

choose_engine() {
  # Distributions put a client with BuildKit into /usr/bin; another one further up the path may lack it.
  if [ -x /usr/bin/docker ]; then PATH=/usr/bin:$PATH; fi
  export DOCKER_BUILDKIT=1
  command -v python3 >/dev/null || cannot "python3 is missing; it runs the scenario."
  if command -v docker >/dev/null && answers; then
    say "The Docker engine that answers: $(docker version --format '{{.Server.Version}}')"
  else
    start_engine
  fi
  if docker compose version >/dev/null 2>&1; then compose=(docker compose)
  elif command -v docker-compose >/dev/null; then compose=(docker-compose)
  else cannot "neither 'docker compose' nor docker-compose is installed."
  fi
}

start_engine() {
  [ "$(id -u)" = 0 ] || cannot "no Docker engine answers, and starting one needs root." "Start Docker, or run this as root."
  local program missing=()
  for program in docker dockerd slirp4netns ip iptables nsenter mmdebstrap; do command -v $program >/dev/null || missing+=("$program"); done
  if [ ${#missing[@]} -gt 0 ]; then
    cannot "no Docker engine answers, and for one of its own these programs are missing: ${missing[*]}" \
      "Start Docker, or: apt-get install --no-install-recommends docker.io docker-compose slirp4netns iproute2 iptables mmdebstrap"
  fi
  local free_kib namespace=hanas-check
  free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
  [ "$free_kib" -ge 12000000 ] || cannot "the images need 12 GB while they are built, $((free_kib / 1000000)) GB are free in $cache."
  export DOCKER_HOST=unix://$work/docker.sock
  ip netns add $namespace
  inside=(nsenter "--net=/run/netns/$namespace")
  "${inside[@]}" ip link set lo up
  # The way out, for apt-get in the build; nothing leads in.
  setsid slirp4netns --configure --mtu=65520 --disable-host-loopback --netns-type=path /run/netns/$namespace tap0 >"$work/slirp.log" 2>&1 9>&- &
  echo $! >"$work/slirp.pid"
  # shellcheck disable=SC2086  # a list of words
  setsid "${inside[@]}" dockerd --data-root "$work/root" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" -H "$DOCKER_HOST" \
    --oom-score-adjust 0 ${HANAS_DOCKERD_ARGS:-} >"$work/dockerd.log" 2>&1 9>&- &
  local tries
  for tries in $(seq 100); do
    if answers; then say "An engine of its own: $(docker version --format '{{.Server.Version}}')"; return; fi
    sleep 0.3
  done
  tail -n 5 "$work/dockerd.log" >&2
  cannot "dockerd does not come up (after $tries tries); its last lines are above."
}

# Ends a process that an earlier step started, when the id is still that program's.
end_process() {  # file with the id, program
  local id
  id=$(cat "$1" 2>/dev/null) || return 0
  if [ "$(cat "/proc/$id/comm" 2>/dev/null)" != "$2" ]; then return 0; fi
  kill "$id" 2>/dev/null || return 0
  local tries
  for tries in $(seq 100); do [ -d "/proc/$id" ] || return 0; sleep 0.2; done
  say "Process $id ($2) does not end after $tries tries." >&2
}

# Removes what this run, or an earlier one that was killed, has left.
clean_up() {
  if [ -n "${compose:-}" ]; then
    run_compose down --volumes --timeout 5 --remove-orphans >/dev/null 2>&1 || true
    if [ -z "$keep_images" ] && [ ${#inside[@]} = 0 ]; then
      local name
      for name in "${targets[@]}" ccache debian; do docker image rm --force "hanas-$name:check" >/dev/null 2>&1 || true; done
    fi
  fi
  end_process "$work/dockerd.pid" dockerd
  end_process "$work/slirp.pid" slirp4netns
  if [ "$(id -u)" = 0 ]; then
    if [ -e /run/netns/hanas-check ]; then ip netns del hanas-check; fi
    local mounted
    awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do umount "$mounted" || true; done
  fi
  rm -rf --one-file-system "$work"
}

# ---- images ---------------------------------------------------------------------------------------------------------------------------------

choose_base() {
  export DEBIAN_IMAGE=${DEBIAN_IMAGE:-debian:trixie-slim}
  if docker image inspect "$DEBIAN_IMAGE" >/dev/null 2>&1; then return; fi
  if timeout 120 docker pull -q "$DEBIAN_IMAGE" >/dev/null 2>&1; then return; fi
  command -v mmdebstrap >/dev/null || cannot "$DEBIAN_IMAGE can neither be pulled nor made: mmdebstrap is missing."
  local from
  from=${HANAS_DEBIAN_MIRROR:-$("$here/root.sh" mirror)}
  say "$DEBIAN_IMAGE cannot be pulled: making a Debian 13 base from $from (20 s)"
  mmdebstrap --quiet --variant=minbase trixie "$work/base.tar" "$from" >"$work/mmdebstrap.log" 2>&1 9>&- || {
    tail -n 3 "$work/mmdebstrap.log" >&2
    cannot "the Debian 13 base could not be made; the last lines are above."
  }
  DEBIAN_IMAGE=hanas-debian:check
  docker import "$work/base.tar" "$DEBIAN_IMAGE" >/dev/null
  rm "$work/base.tar"
}

choose_compiler_cache() {
  export CCACHE_IMAGE=scratch
  local from=${CCACHE_DIR:-$cache/ccache}
  if [ "$from" = none ] || [ ! -d "$from" ]; then return; fi
  say "The compiler cache of $from is used ($(du -sh "$from" | cut -f1))."
  # Other builds may be writing to it; a file that changes under tar is one that is compiled again.
  { tar -C "$from" --exclude ./tmp -c . 2>/dev/null || true; } | docker import - hanas-ccache:check >/dev/null
  CCACHE_IMAGE=hanas-ccache:check
}

build_images() {
  local target before
  for target in "${targets[@]}"; do
    before=$(date +%s)
    docker build --network host --progress plain --build-arg "DEBIAN_IMAGE=$DEBIAN_IMAGE" --build-arg "CCACHE_IMAGE=$CCACHE_IMAGE" \
      --file "$here/Dockerfile" --target "$target" --tag "hanas-$target:check" "$repository" >"$work/build-$target.log" 2>&1 || {
      tail -n 25 "$work/build-$target.log" >&2
      echo "compose-check: building the image of $target failed; its last lines are above." >&2
      exit 1
    }
    say "hanas-$target: $(($(date +%s) - before)) s, $(docker image inspect --format '{{.Size}}' "hanas-$target:check" | awk '{ printf "%d MB", $1 / 1e6 }')"
    if [ "$target" = coordinator ]; then grep -E 'Hits:|Misses:' "$work/build-$target.log" | head -n 4 | sed 's/^#[0-9]* [0-9.]* */    compiler cache: /' || true; fi
  done
}

# ---- the service ----------------------------------------------------------------------------------------------------------------------------

export HANAS_TAG=check HANAS_PORT=17700 HANAS_PROMETHEUS_PORT=19090
HANAS_TOKEN=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
export HANAS_TOKEN
unset HANAS_DATA
run_compose() { "${compose[@]}" --project-name hanas-check --project-directory "$repository" --file "$repository/docker-compose.yml" "$@"; }

main() {
  case ${1:-} in
    '') ;;
    --keep-images) keep_images=yes ;;
    *) sed -n '3,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
  mkdir -p "$cache"
  exec 9>"$cache/compose-check.lock"
  flock -n 9 || cannot "another compose-check is running ($cache/compose-check.lock)."
  clean_up
  mkdir -p "$work"
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  announce "An engine"
  choose_engine
  announce "A Debian 13 base and a compiler cache"
  choose_base
  choose_compiler_cache
  announce "Images, from source"
  build_images
  announce "The service, and a search through it"
  "${inside[@]}" python3 "$here/compose_scenario.py" --repository "$repository" --work "$work" -- "${compose[@]}"
  announce "The service works as composed."
}

main "$@"
