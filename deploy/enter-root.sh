#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Usage: enter-root.sh ROOT DIR COMMAND...   Runs COMMAND in ROOT (a Debian 13 tree), in DIR, which is bind-mounted at its own path.
# Mounts are private to the command and vanish with it. Needs root.
set -euo pipefail
root=$1 dir=$2
shift 2
export HANAS_ENTER_ROOT=$root HANAS_ENTER_DIR=$dir
exec unshare --mount --propagation private bash -euc '
  root=$HANAS_ENTER_ROOT dir=$HANAS_ENTER_DIR
  for m in /proc /sys /dev; do mount --rbind "$m" "$root$m"; done
  mount -t tmpfs tmpfs "$root/run"
  bind() { mkdir -p "$root$1"; mount --rbind "$1" "$root$1"; }
  bind /tmp
  bind "$dir"
  for extra in ${HANAS_ENTER_BIND:-}; do bind "$extra"; done
  [ -e /etc/resolv.conf ] && { touch "$root/etc/resolv.conf"; mount --bind "$(readlink -f /etc/resolv.conf)" "$root/etc/resolv.conf"; }
  unset HANAS_ENTER_ROOT HANAS_ENTER_DIR
  exec chroot "$root" /usr/bin/env -C "$dir" "$@"
' enter "$@"
