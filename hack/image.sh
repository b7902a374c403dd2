#!/usr/bin/env bash
# Builds the image from the Dockerfile without a Docker daemon and saves it as an archive: image.sh NAME FILE
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1 file=$2 arch=${ARCH:-$(go env GOARCH)}
command -v buildah >/dev/null || { echo "buildah is missing: apt-get install buildah, or build the Dockerfile with docker" >&2; exit 1; }
mkdir -p bin/release
CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -ldflags "-s -w -X main.version=${name##*:}" -o "bin/release/signalbox-linux-$arch" .
rm -f "$file"
buildah build --isolation chroot --storage-driver vfs --platform "linux/$arch" --build-arg "TARGETARCH=$arch" --quiet --tag "$name" . >/dev/null
buildah push --storage-driver vfs --quiet "$name" "docker-archive:$file:$name"
buildah rmi --storage-driver vfs "$name" >/dev/null
size=$(stat -c %s "$file")
limit=$((60 << 20))
echo "$name ($arch): $((size >> 20)) MiB in $file"
[ "$size" -lt "$limit" ] || { echo "the image is larger than 60 MiB" >&2; exit 1; }
