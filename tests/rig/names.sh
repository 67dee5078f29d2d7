# shellcheck shell=bash disable=SC2034
# What things are called, and where they are. One rig per machine, so the
# namespace, the sockets and the lock have fixed names; VMFM_RIG_NAME=NAME is one
# more beside it, of that name, for machines that can carry two.

RIG_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RIG_REPO=$(cd "$RIG_SRC/../.." && pwd)
RIG_STATE=$(realpath -m "${VMFM_RIG_DIR:-$RIG_REPO/build/rig}")
RIG_BIN=$RIG_STATE/bin
RIG_NETNS=vmfm-rig${VMFM_RIG_NAME:+-$VMFM_RIG_NAME}
RIG_RUN=/run/$RIG_NETNS
RIG_KERNELS=/var/cache/vmfm-rig
RIG_LOCK=/run/lock/$RIG_NETNS.lock
RIG_DISK=$RIG_STATE/disk.img
RIG_SHARED=/dev/shm/$RIG_NETNS
RIG_SHARED_SLOT=0x1e

EXIT_DEAD=70

die() {
	echo "rig: $*" >&2
	exit 1
}

note() {
	echo "rig: $*" >&2
}

# a is 1, b is 2, ...
host_number() {
	[[ $1 =~ ^[a-h]$ ]] || die "no host '$1': hosts are single letters, a to h"
	printf '%d\n' $(($(printf '%d' "'$1") - 96))
}

# host_pick HOST LIST: of A,B,... host a's is the first, b's the second; the last is that
# of all further ones, too.
host_pick() {
	local list n
	n=$(host_number "$1") || exit 1
	IFS=, read -ra list <<<"$2"
	echo "${list[n - 1]:-${list[-1]}}"
}

host_dir() {
	echo "$RIG_STATE/host-$1"
}

control_address() {
	echo "10.77.0.$(host_number "$1")"
}

# What `rig up` was told, for those who come later (rig start, rig guest).
settings_load() {
	[ -r "$RIG_STATE/settings" ] || die "the rig is not up: run '$RIG_SRC/rig up'"
	# shellcheck source=/dev/null
	. "$RIG_STATE/settings"
}

settings_save() {
	local name
	for name in KVER BOOT MODROOT MEM CPUS LIMIT BOOT_LIMIT SHARED NUMA; do
		printf '%s=%q\n' "$name" "${!name}"
	done >"$RIG_STATE/settings"
}
