# shellcheck shell=bash
# What can be said of the code without running it. Sourced by tests/run.

jobs=-j$(nproc)
check modules-6.1 600 make "$jobs" modules KVER="$KVER" KCFLAGS=-Werror

newer=$(find /lib/modules -maxdepth 1 -name '6.12*' -printf '%f\n' | sort -V | tail -n 1)
if [ -n "$newer" ] && [ -d "/lib/modules/$newer/build" ]; then
	check modules-6.12 600 make "$jobs" modules KVER="$newer" KCFLAGS=-Werror
else
	tell skip modules-6.12 "no headers of a 6.12 kernel"
fi

check userspace 600 make "$jobs" userspace
check sparse 600 tests/suites/sparse "$KVER"
check checkpatch 120 tests/suites/checkpatch
check dkms 600 tests/suites/dkms "$KVER"
check netlink-spec 30 tests/suites/netlink-spec
check shellcheck 120 tests/suites/shellcheck
# ctuuninitvar takes a buffer that is written for one that is read.
check cppcheck 600 cppcheck -q --error-exitcode=1 --inline-suppr --std=c11 \
	--enable=warning,portability --suppress=missingInclude --suppress=ctuuninitvar --suppress=unknownMacro \
	-i build userspace rdma tests/rig
