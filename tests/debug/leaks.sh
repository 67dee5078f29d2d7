#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on an emulated host with the debug kernel: leaks.sh forget|check.
# check tells what is allocated and pointed to by nothing, and fails when the
# module is in the path of an allocation; after it was unloaded its functions
# have no names. What others leak is only told. forget leaves out what is
# there by now.
set -u
leaks=/sys/kernel/debug/kmemleak

# An object counts once it is five seconds old and does not change between two scans.
scan_twice() {
	for _ in 1 2; do
		sleep 6
		echo scan >$leaks || exit 1
	done
}

# split OURS: the objects with the module in their path, or the others.
split() {
	awk -v ours="$1" '
		function tell() { if (object != "" && mine == ours) printf "%s", object }
		/^unreferenced object/ { tell(); object = ""; mine = 0 }
		/\[vmfastmig\]|\] 0x[0-9a-f]+$/ { mine = 1 }
		{ object = object $0 "\n" }
		END { tell() }' "$2"
}

[ -w $leaks ] || {
	echo "this kernel has no kmemleak, or it gave up: see the kernel log"
	exit 1
}
scan_twice
case $1 in
forget)
	echo clear >$leaks
	;;
check)
	report=$(mktemp)
	cat $leaks >"$report" || exit 1
	echo "# leaked by others: $(split 0 "$report" | grep -c '^unreferenced')"
	split 0 "$report" | sed 's/^/# /'
	split 1 "$report"
	[ "$(split 1 "$report" | grep -c '^unreferenced')" -eq 0 ]
	;;
*)
	echo "usage: leaks.sh forget|check" >&2
	exit 64
	;;
esac
