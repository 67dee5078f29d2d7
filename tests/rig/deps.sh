#!/bin/bash
# Installs the packages of packages.txt that are missing, and nothing else.
set -eu

here=$(cd "$(dirname "$(realpath "$0")")" && pwd)
list=$here/../../packages.txt

missing_packages() {
	sed 's/#.*//' "$list" | xargs -n 1 | while read -r package; do
		dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null |
			grep -q '^ii' || echo "$package"
	done
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] || {
	echo "still missing: ${missing[*]}" >&2
	exit 1
}
