# shellcheck shell=bash disable=SC2154 # set by tests/run
# The kselftests, on host a, with the kernel KVER and the newest 6.12. Sourced by tests/run.

# kselftests KVER [LABEL]
kselftests() {
	local test label=${2:-}
	KVER=$1 HOSTS=a check "kernel$label-hosts-up" 300 tests/suites/hosts-up --numa 2 || return
	for test in files refusals rounds failure pressure numa wire wire-source stress; do
		timeout 900 "$rig" run a --timeout 880 -- sh "$top/tests/kselftest/run.sh" \
			"$top/build/kselftest" 10.77.1.1 "$test" >"$out/$test$label.log" 2>&1 </dev/null
		grep -q '^# Totals:' "$out/$test$label.log" ||
			tell fail "$test$label" "no end: see build/check/$test$label.log"
		tap "$test$label" "$out/$test$label.log"
		check "$test$label-kernel-log" 60 "$rig" logcheck a
	done
	check "unload$label" 60 tests/suites/unload a
	check "hosts$label-down" 60 "$rig" down
}

kernel_suite() {
	local kernels=("$KVER") newer
	check kselftest-build 300 make -C tests/kselftest O="$top/build/kselftest" || return
	newer=$(newest_kernel 6.12)
	if [ -n "$newer" ]; then
		kernels=("$newer -6.12" "$KVER")
	else
		tell skip kernel-6.12 "no 6.12 kernel is installed"
	fi
	lanes_each kselftests true "${kernels[@]}"
}

kernel_suite
