#!/usr/bin/env bash
# Installs the Debian packages that the given programs come in, where the programs are missing: packages.sh (all that CI needs)
set -euo pipefail
declare -A package=([gcc]=gcc [git]=git [nginx]=nginx-light [buildah]=buildah [python3]=python3 [npm]=npm [redis-server]=redis-server)
missing=()
for program in "${!package[@]}"; do
  command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || missing+=("${package[$program]}")
done
# Debian's python3 makes environments only with a package of its own.
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
# Its PostgreSQL is not in the PATH, but in a folder for each version.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
[ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "please install: ${missing[*]}" >&2
  exit 1
fi
echo "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
