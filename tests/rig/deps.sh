#!/bin/bash
# deps.sh [LIST]: installs the packages of packages.txt, or LIST, that are missing, and
# nothing else. A name with a * stands for the newest package that matches it.
set -eu

here=$(cd "$(dirname "$(realpath "$0")")" && pwd)
list=${1:-$here/../../packages.txt}

listed_packages() {
	sed 's/#.*//' "$list" | xargs -n 1
}

# Installed is any match.
is_installed() {
	dpkg-query -W -f '${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^ii'
}

missing_packages() {
	listed_packages | while read -r package; do
		is_installed "$package" || echo "$package"
	done
}

newest() {
	case $1 in
	*'*'*) apt-cache pkgnames | grep -xE "$(sed 's/[.+]/\\&/g; s/\*/[0-9.]+/' <<<"$1")" | sort -V | tail -n 1 ;;
	*) echo "$1" ;;
	esac
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
names=()
for package in "${missing[@]}"; do
	names+=("$(newest "$package")")
done
apt-get -qq -y --no-install-recommends install "${names[@]}" >/dev/null
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] || {
	echo "still missing: ${missing[*]}" >&2
	exit 1
}
