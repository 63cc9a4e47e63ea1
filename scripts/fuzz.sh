#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other: fuzz.sh [TIME], by default 10s each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-10s}
for package in $(go list ./...); do
  targets=$(go test -list '^Fuzz' "$package" | { grep '^Fuzz' || true; })
  for target in $targets; do
    echo "$package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
  done
done
