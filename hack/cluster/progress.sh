#!/usr/bin/env bash
# Runs a command that may take minutes and says every 15 seconds that it still does: progress.sh NAME COMMAND...
set -eu
name=$1
shift
echo "$name: building"
"$@" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true' INT TERM
next=15
while kill -0 "$pid" 2>/dev/null; do
  if ((SECONDS >= next)); then
    echo "$name: still building after ${SECONDS} s"
    next=$((SECONDS + 15))
  fi
  sleep 0.2
done
wait "$pid"
echo "$name: built in ${SECONDS} s"
