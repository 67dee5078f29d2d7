#!/bin/sh
# Runs on an emulated host with the module loaded: run.sh BINDIR ADDR TEST...
# Makes a disk whose reads take 2.5 s for the tests that want one.
set -u
bin=$1 addr=$2
shift 2

slow_disk() {
	modprobe loop && modprobe dm-delay || return 1
	dd if=/dev/urandom of=/run/slow.img bs=1M count=8 2>/dev/null
	loop=$(losetup --find --show --direct-io=off /run/slow.img) || return 1
	echo "0 16384 delay $loop 0 2500" | dmsetup create --noudevsync slow || return 1
	dmsetup mknodes slow
}

if [ ! -e /dev/mapper/slow ]; then
	slow_disk >/dev/null 2>&1 || echo "# no slow disk"
fi
if [ -e /dev/mapper/slow ]; then
	export VMFM_SLOW_DISK=/dev/mapper/slow
	VMFM_DISK=$(losetup --noheadings --output NAME --associated /run/slow.img)
	export VMFM_DISK
fi
export VMFM_ADDR="$addr"

status=0
for test in "$@"; do
	"$bin/$test" || status=1
done
exit $status
