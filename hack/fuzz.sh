#!/usr/bin/env bash
# Runs every fuzz target of the product for the given time.
set -euo pipefail
cd "$(dirname "$0")/.."
time=$1
grep -rlE '^func Fuzz' --include='*_test.go' api cmd controllers manifest proxy | while read -r file; do
  for target in $(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file"); do
    echo "fuzz $target in $(dirname "$file")"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null
  done
done
