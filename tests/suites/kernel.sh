# shellcheck shell=bash disable=SC2154 # set by tests/run
# The kselftests, on host a. Sourced by tests/run.

kernel_suite() {
	check kselftest-build 300 make -C tests/kselftest O="$top/build/kselftest" || return
	check kernel-hosts-up 300 tests/suites/hosts-up || return
	local test
	for test in files refusals rounds; do
		timeout 900 "$rig" run a --timeout 880 -- sh "$top/tests/kselftest/run.sh" \
			"$top/build/kselftest" 10.77.1.1 "$test" >"$out/$test.log" 2>&1 </dev/null
		grep -q '^# Totals:' "$out/$test.log" || tell fail "$test" "no end: see build/check/$test.log"
		tap "$test" "$out/$test.log"
		check "$test-kernel-log" 60 "$rig" logcheck a
	done
	check unload 60 tests/suites/unload a
	check hosts-down 60 "$rig" down
}

kernel_suite
