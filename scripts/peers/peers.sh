#!/usr/bin/env bash
# Runs peers.py with the Python of the real loaders (`make setup-loaders`) and, installed into .cache/peers once, the
# packages of requirements.txt.
#
#   scripts/peers/peers.sh [ARGUMENT of peers.py]...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${SCAPEFS_VENV:-$root/.cache/loaders-venv}/bin/python
packages=$root/.cache/peers
stamp=$packages/.requirements

die() {
  echo "peers: $*" >&2
  exit 1
}

install_packages() {
  echo "peers: installing $packages, once" >&2
  rm -rf "$packages"
  if command -v uv >/dev/null; then
    uv pip install -q --python "$python" --no-deps --target "$packages" -r "$here/requirements.txt"
  else
    "$python" -m pip install -q --disable-pip-version-check --no-deps --target "$packages" -r "$here/requirements.txt"
  fi
  cp "$here/requirements.txt" "$stamp" # last: without it the packages count as half-made
}

"$python" -c 'import numpy, torch' 2>/dev/null || die "no Python with numpy and torch at $python: make setup-loaders makes it"
exec 9>"$packages.lock" # two runs at once would install into each other
flock 9
cmp -s "$here/requirements.txt" "$stamp" || install_packages >&2
exec 9>&-
PYTHONPATH=$packages exec "$python" "$here/peers.py" "$@"
