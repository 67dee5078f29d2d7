# shellcheck shell=bash disable=SC2154 # set by tests/run
# Guests moving between the emulated hosts a and b. Sourced by tests/run.

# From the kernel and the QEMU of the release to newer ones and back; make check-matrix
# has the rest.
migrate_across() {
	local newer
	newer=$(newest_kernel 6.12)
	if [ -z "$newer" ] || ! qemu_version backports >/dev/null; then
		tell skip across "no 6.12 kernel, or no QEMU of the backports"
		return
	fi
	KVER=$KVER,$newer QEMU=qemu-system-x86_64,backports \
		scenario 400 across "pc-q35-$(qemu_version qemu-system-x86_64)" EPYC
	"$rig" down
}

# What measures times runs by itself. Then the long ones first: no lane is to be left
# alone with one at the end.
migrate_suite() {
	local one list=()
	check migrate-build 600 make -s modules userspace KVER="$KVER" || return
	lanes_down
	migrate_across
	scenario 400 downtime
	for one in cancel daemon-a daemon-b qemu-b cable host-b; do
		list+=("900 failures $one")
	done
	list+=("900 back-and-forth" "900 libvirt" "900 libvirt-failures")
	for one in exec monitor dirty-above refusals lossy-link "disk-reads slow native" \
		"disk-reads slow io_uring" "disk-reads fast native" "disk-reads fast io_uring" balloon \
		nested held-page \
		sparse-guest several-backends two-vcpus idle dirty-below; do
		list+=("400 $one")
	done
	lanes_each scenario migrate_down "${list[@]}"
}

migrate_suite
