# shellcheck shell=bash disable=SC2154 # set by tests/run
# Guests moving between the emulated hosts a and b. Sourced by tests/run.

# An emulated host that locked up (status 70) is no verdict: once more, on fresh hosts.
scenario() { # SECONDS NAME [ARG...]
	local seconds=$1 name status
	shift
	name=$(tr ' ' '-' <<<"$*")
	timeout --kill-after=20 "$seconds" "tests/migrate/$1" "${@:2}" >"$out/$name.log" 2>&1 </dev/null
	status=$?
	if [ $status -eq 70 ]; then
		echo "# $name: an emulated host locked up; once more on fresh ones"
		"$rig" logs "$out/$name.lockup" >/dev/null 2>&1
		"$rig" down
		check "$name" "$seconds" "tests/migrate/$1" "${@:2}" && return
	elif [ $status -eq 0 ]; then
		tell pass "$name"
		return
	else
		tell fail "$name" "exit $status"
		tail -n 40 "$out/$name.log" | sed 's/^/    /'
	fi
	"$rig" logs "$out/$name.evidence" >/dev/null 2>&1
	"$rig" down
}

migrate_suite() {
	local one
	check migrate-build 600 make -s modules userspace KVER="$KVER" || return
	for one in idle dirty-below dirty-above two-vcpus several-backends sparse-guest \
		"disk-reads fast native" "disk-reads fast io_uring" "disk-reads slow native" \
		"disk-reads slow io_uring" balloon refusals; do
		# shellcheck disable=SC2086 # name and arguments
		scenario 300 $one
	done
	scenario 900 back-and-forth
	for one in cancel daemon-a daemon-b qemu-b cable host-b; do
		scenario 900 failures "$one"
	done
	check migrate-hosts-down 60 "$rig" down
}

migrate_suite
