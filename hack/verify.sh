#!/usr/bin/env bash
# Fails when regenerating left a difference to what is committed, untracked files included.
set -euo pipefail
cd "$(dirname "$0")/.."
unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
  echo "not formatted (run: make fmt):" >&2
  echo "$unformatted" >&2
  exit 1
fi
changes=$(git status --porcelain)
if [ -n "$changes" ]; then
  echo "generated files are not up to date; run 'make generate tidy' and commit:" >&2
  echo "$changes" >&2
  git --no-pager diff --stat >&2
  exit 1
fi
echo "generated files are up to date"
