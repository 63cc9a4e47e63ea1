#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other: fuzz.sh [TIME], by default 10s each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fuzz() { go test -run '^$' -fuzz "^$1\$" -fuzztime "$time" "$2" 2>&1 | tee "$log"; }

# At the end of its time Go may take its own deadline for a failure of the target (go.dev/issue/75804). Such a run
# names no input that fails; it is done once more.
ended_by_its_deadline() { grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"; }

for package in $(go list ./...); do
  targets=$(go test -list '^Fuzz' "$package" | { grep '^Fuzz' || true; })
  for target in $targets; do
    echo "$package $target"
    fuzz "$target" "$package" || { ended_by_its_deadline && fuzz "$target" "$package"; }
  done
done
