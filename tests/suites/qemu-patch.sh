# shellcheck shell=bash disable=SC2154 # set by tests/run
# Guests moved by QEMUs that know rdmafast: themselves (userspace/qemu/), of each of the
# SERIES. Sourced by tests/run.

qemu_patch_series() { # SERIES
	local one list=(native)
	echo "# QEMU $1"
	check "qemu-$1-checkpatch" 1200 userspace/qemu/build --check "$1"
	check "qemu-$1-build" 7200 userspace/qemu/build "$1" || return
	QEMU=$(tail -n 1 "$out/qemu-$1-build.log")
	export QEMU
	for one in daemon-a daemon-b qemu-b job host-b cancel; do
		list+=("native-failures $one")
	done
	lanes_each scenario migrate_down "${list[@]/#/900 }"
	unset QEMU
}

qemu_patch_suite() {
	local one
	check qemu-packages 600 tests/rig/deps.sh userspace/qemu/packages.txt || return
	check migrate-build 600 make -s modules userspace KVER="$KVER" || return
	for one in ${SERIES:-7.2}; do
		qemu_patch_series "$one"
	done
}

qemu_patch_suite
