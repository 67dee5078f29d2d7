# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # set by tests/run
# The kselftests, and failing allocations, on a debug kernel. Sourced by tests/run.

debug_test() { # RUN.SH SECONDS NAME
	timeout "$2" "$rig" run a --timeout $(($2 - 20)) -- sh "$top/$1" \
		"$top/build/debug" 10.77.1.1 "$3" >"$out/debug-$3.log" 2>&1 </dev/null
	grep -q '^# Totals:' "$out/debug-$3.log" ||
		tell fail "debug-$3" "no end: see build/check/debug-$3.log"
	tap "debug-$3" "$out/debug-$3.log"
	check "debug-$3-kernel-log" 60 sh -c "'$rig' logcheck a | tests/debug/known"
}

# kmemleak tells the kernel log what it finds, also what is not ours.
debug_leaks() { # NAME
	check "$1" 1200 "$rig" run a --timeout 1180 -- sh "$top/tests/debug/leaks.sh" check
	"$rig" logmark a
}

debug_suite() {
	local test
	check debug-kernel 10800 tests/debug/kernel || return
	check debug-modules 600 tests/debug/modules || return
	check debug-build 300 make -C tests/debug O="$top/build/debug" || return
	check debug-host-up 1800 tests/debug/host-up || return
	for test in files refusals rounds failure pressure numa wire wire-source stress; do
		debug_test tests/kselftest/run.sh 4500 $test
	done
	for test in inject workers; do
		debug_test tests/debug/run.sh 7200 $test
	done
	debug_leaks debug-leaks
	check debug-unload 300 tests/suites/unload a
	check debug-unload-kernel-log 60 "$rig" logcheck a
	debug_leaks debug-leaks-unloaded
	check debug-host-down 60 "$rig" down
}

debug_suite
