#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Usage: enter-root.sh ROOT DIR COMMAND...
#
# Runs COMMAND in ROOT (a Debian 13 tree), in DIR, which appears there under its own path; so do /tmp and every path in HANAS_ENTER_BIND
# (separated by spaces). With HANAS_ENTER_USER=UID:GID the command runs as that user, otherwise as root. Needs root itself.
#
# The mounts live in a mount namespace of their own and vanish with the last process in it, so ROOT itself always stays a plain directory that
# may be copied or removed. The command replaces this script: signals and exit status are its own.
set -euo pipefail
if [ $# -lt 3 ]; then
  echo "enter-root.sh: expected ROOT DIR COMMAND..., found $# arguments" >&2
  exit 2
fi

# In the mount namespace: ROOT DIR COMMAND...
enter() {
  local root=$1 dir=$2 kernel extra file
  shift 2
  # The kernel file systems: without /proc and /sys XNNPACK and LibTorch cannot see the processor.
  for kernel in /proc /sys /dev; do mount --rbind "$kernel" "$root$kernel"; done
  mount -t tmpfs tmpfs "$root/run"
  for extra in /tmp "$dir" ${HANAS_ENTER_BIND:-}; do
    mkdir -p "$root$extra"
    mount --rbind "$extra" "$root$extra"
  done
  for file in /etc/resolv.conf /etc/hosts; do
    [ ! -e "$file" ] || { [ -e "$root$file" ] || : > "$root$file"; mount --bind "$(readlink -f "$file")" "$root$file"; }
  done
  local user=${HANAS_ENTER_USER:-0:0}
  unset HANAS_ENTER_BIND HANAS_ENTER_USER OLDPWD
  exec chroot --userspec="$user" "$root" /usr/bin/env -C "$dir" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
exec unshare --mount --propagation private bash -euc "$(declare -f enter); enter \"\$@\"" enter "$@"
