#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine that has Go ready for `make demo` and `make test`. Quiet and quick when all is there.
#
#   scripts/setup.sh          everything
#   scripts/setup.sh fuse     what a mount needs
#   scripts/setup.sh faults   what tests make system calls fail with
#   scripts/setup.sh build    what the race detector needs: a C compiler
#   scripts/setup.sh loaders  what the real loaders need: compiler, libraries, Python, and their Python environment
#   scripts/setup.sh bench    what the mount is measured with; not part of everything
#
# Missing packages are installed by apt-get as root or by sudo without a password. Otherwise it says what is missing
# and exits 1.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
loaders=$root/integration/loaders/setup.sh

note() { echo "setup: $*" >&2; }
die() {
  note "$*"
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

can_install() {
  command -v apt-get >/dev/null && as_root true 2>/dev/null
}

# install PACKAGE...: installs them, or says what to do.
install() {
  can_install || die "missing; run: sudo apt-get install $*" \
    "(another distribution: its packages for the same programs)"
  note "installing $*"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

has_library() { /sbin/ldconfig -p | grep -qF "$1"; }

compiles_c() { echo '#include <stdio.h>' | gcc -xc -fsyntax-only - 2>/dev/null; }

setup_fuse() {
  [ -e /dev/fuse ] || as_root modprobe fuse 2>/dev/null || true
  [ -e /dev/fuse ] || die "/dev/fuse is missing: this kernel or container has no FUSE." \
    "On a machine: sudo modprobe fuse. In a container: docker run --device /dev/fuse --cap-add SYS_ADMIN" \
    "--security-opt apparmor=unconfined"
  command -v fusermount3 >/dev/null || install fuse3
  { : <>/dev/fuse; } 2>/dev/null || die "cannot open /dev/fuse: its permissions, or the container's device rules, forbid it"
}

setup_faults() {
  command -v strace >/dev/null || install strace
}

setup_build() {
  compiles_c || install gcc libc6-dev
}

setup_loaders() {
  local packages=()
  compiles_c || packages+=(gcc libc6-dev)
  command -v readelf >/dev/null || packages+=(binutils)
  has_library libnuma.so.1 || packages+=(libnuma1)
  "$loaders" --python >/dev/null 2>&1 || packages+=(python3 python3-venv)
  [ ${#packages[@]} = 0 ] || install "${packages[@]}"
  "$loaders"
}

setup_bench() {
  local packages=()
  command -v fio >/dev/null || packages+=(fio)
  command -v mksquashfs >/dev/null || packages+=(squashfs-tools)
  command -v mkfs.erofs >/dev/null || packages+=(erofs-utils)
  command -v zstd >/dev/null || packages+=(zstd)
  [ ${#packages[@]} = 0 ] || install "${packages[@]}"
}

case ${1:-all} in
  bench) setup_bench ;;
  fuse) setup_fuse ;;
  faults) setup_faults ;;
  build) setup_build ;;
  loaders) setup_loaders ;;
  all)
    setup_fuse
    setup_faults
    setup_build
    setup_loaders
    ;;
  *) die "unknown part $1; usage: scripts/setup.sh [fuse|faults|build|loaders|bench]" ;;
esac
