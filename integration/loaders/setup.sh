#!/usr/bin/env bash
# Makes the Python environment that holds the real loaders, once. Run again, it returns at once.
#
#   setup.sh            make it if it is missing, out of date or half-made
#   setup.sh --python   print the Python interpreter that would be used, or say what to install
#
# Place: $SCAPEFS_VENV, by default .cache/loaders-venv at the root of the repository.
# Knobs: PYTHON (an interpreter, 3.11 to 3.14), SCAPEFS_REQUIRE=1 (a missing cargo is an error, not a note).
# Everything comes from PyPI, pinned by hash: a download of about 1 GB, 2.9 GB on disk.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${SCAPEFS_VENV:-$root/.cache/loaders-venv}
stamp=$venv/.scapefs-python-stamp
rust_stamp=$venv/.scapefs-rust-stamp

note() { echo "loaders: $*" >&2; }
die() {
  note "$*"
  exit 1
}

hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }

# fits INTERPRETER: a CPython whose wheels are pinned, and that can make a virtual environment.
fits() {
  local modules='venv, ensurepip'
  if command -v uv >/dev/null; then modules=venv; fi
  "$1" -c "
import sys, $modules
sys.exit(not (sys.implementation.name == 'cpython' and (3, 11) <= sys.version_info[:2] <= (3, 14)))
" >/dev/null 2>&1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
    if fits "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  die "found no CPython 3.11 to 3.14 that can make a virtual environment; install one" \
    "(Debian, Ubuntu: apt-get install python3 python3-venv) or name it: PYTHON=/path/to/python3.12"
}

check_machine() {
  [ "$(uname -sm)" = "Linux x86_64" ] || die "the pinned wheels are for Linux on x86_64, this is $(uname -sm)"
  grep -qw avx2 /proc/cpuinfo || die "vLLM's CPU engine needs a processor with AVX2"
  local tool missing=()
  for tool in gcc readelf sha256sum flock; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} = 0 ] || die "missing: ${missing[*]}; run scripts/setup.sh, or install gcc libc6-dev binutils"
}

# remove_old deletes a stale environment, and nothing that is not one.
remove_old() {
  [ -e "$venv" ] || return 0
  if [ -e "$venv/pyvenv.cfg" ] || [ -z "$(ls -A "$venv")" ]; then
    rm -rf "$venv"
  else
    die "$venv exists and is not a virtual environment: remove it, or set SCAPEFS_VENV to another place"
  fi
}

install_packages() {
  # --no-deps is what keeps torch's CUDA libraries out.
  local options=(--no-deps --require-hashes --only-binary :all: -r "$here/requirements.txt")
  if command -v uv >/dev/null; then
    UV_PYTHON_DOWNLOADS=never uv venv -q --python "$1" "$venv"
    uv pip install -q --python "$venv/bin/python" "${options[@]}"
  else
    "$1" -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check "${options[@]}"
  fi
}

make_venv() {
  local want python
  want=$(hash_of "$here/requirements.txt" "$here/make_stubs.py")
  if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  check_machine
  python=$(find_python)
  note "making $venv with $python: about 1 GB to download, once"
  remove_old
  install_packages "$python"
  "$venv/bin/python" "$here/make_stubs.py" >&2
  "$venv/bin/python" -W ignore -c 'import torch; torch.linalg.svd(torch.randn(8, 8))' ||
    die "torch does not work in $venv; the lines above say why"
  echo "$want" >"$stamp" # written last: without it the environment counts as half-made
}

make_rust_loader() {
  local want
  want=$(hash_of "$here/rust-loader/"{Cargo.toml,Cargo.lock,src/main.rs})
  [ "$(cat "$rust_stamp" 2>/dev/null)" != "$want" ] || return 0
  if ! command -v cargo >/dev/null; then
    [ "${SCAPEFS_REQUIRE:-}" != 1 ] || die "cargo is missing and SCAPEFS_REQUIRE=1 asks for the Rust loader: install Rust"
    note "NOTE: cargo is missing, so the Rust loader is SKIPPED; install Rust and run this again to have it checked"
    return 0
  fi
  note "building the Rust loader"
  cargo build -q --release --locked --manifest-path "$here/rust-loader/Cargo.toml" --target-dir "$venv/rust-target"
  install -m 755 "$venv/rust-target/release/rust-loader" "$venv/bin/rust-loader"
  rm -rf "$venv/rust-target"
  echo "$want" >"$rust_stamp"
}

case ${1:-} in
  --python)
    find_python
    exit
    ;;
  "") ;;
  *) die "unknown argument $1; usage: setup.sh [--python]" ;;
esac

mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock" # two runs at once would build into each other
flock 9
make_venv
make_rust_loader
