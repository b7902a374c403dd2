#!/usr/bin/env bash
# Writes the lock files of the client libraries anew: lock.sh FOLDER, which uv is installed in.
set -euo pipefail
tools=$1
cd "$(dirname "$0")/clients"
[ -x "$tools/bin/uv" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet uv==0.13.9; }
for list in sdk frameworks model; do
  "$tools/bin/uv" pip compile --quiet --upgrade --system-certs --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command "make conformance-lock" "python/$list.in" -o "python/$list.txt"
done
cd node
npm install --package-lock-only --ignore-scripts --no-audit --no-fund
