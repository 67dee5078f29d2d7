# shellcheck shell=bash disable=SC2154 # set by tests/run
# Some of QEMU's own tests through vmfastmig monitor, by QEMUs of each of the SERIES.
# Sourced by tests/run.

qtest_program() { # SERIES DIR PROGRAM
	local name=qtest-$1-$3 log status
	log=$out/$name.log
	# shellcheck disable=SC2086 # words
	timeout --kill-after=20 7200 tests/qtest/run "$2" "$3" ${qtest_options[$1/$3]:-} >"$log" 2>&1 </dev/null
	status=$?
	tap "$name" "$log"
	grep "^# $3: of " "$log"
	[ $status -eq 0 ] || tell_failed "$name" "exit $status"
	! grep -q '^not ok ' "$log" || grep '^#' "$log" | tail -n 40 | sed 's/^/    /'
}

qtest_series() { # SERIES
	local dir program
	echo "# QEMU $1"
	check "qtest-$1-build" 7200 userspace/qemu/build --qtests "$1" || return
	dir=$(tail -n 1 "$out/qtest-$1-build.log")
	for program in "$dir"/*-test "$dir"/test-*; do
		qtest_program "$1" "$dir" "${program##*/}"
	done
}

qtest_suite() {
	local one
	local -A qtest_options=([10.0/migration-test]=--full)
	check qtest-packages 600 tests/rig/deps.sh userspace/qemu/packages.txt || return
	check qtest-userspace 600 make -s userspace || return
	for one in ${SERIES:-7.2}; do
		qtest_series "$one"
	done
}

qtest_suite
