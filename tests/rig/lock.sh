# shellcheck shell=bash
# One rig at a time: a keeper process holds the lock as long as the rig is up.

lock_owner() {
	cat "$RIG_LOCK.owner" 2>/dev/null
}

lock_keeper_pid() {
	local pid
	pid=$(cat "$RIG_RUN/keeper.pid" 2>/dev/null) || return 1
	grep -qs vmfm-rig-keeper "/proc/$pid/cmdline" && echo "$pid"
}

# lock_take WAIT_S LIMIT_S
lock_take() {
	mkdir -p "$(dirname "$RIG_LOCK")"
	exec 9>>"$RIG_LOCK"
	flock -w "$1" 9 ||
		die "another rig is up ($(lock_owner)); 'rig down' there, or wait longer with --wait S"
	mkdir -p "$RIG_RUN"
	echo "state $RIG_STATE, by pid $PPID, since $(date '+%F %T')" >"$RIG_LOCK.owner"
	echo "$RIG_STATE" >"$RIG_RUN/state"
	setsid bash -c "exec -a vmfm-rig-keeper sleep $2" </dev/null >/dev/null 2>&1 &
	echo $! >"$RIG_RUN/keeper.pid"
	exec 9>&-
}

# The rig that is up belongs to this state directory.
lock_is_ours() {
	[ "$(cat "$RIG_RUN/state" 2>/dev/null)" = "$RIG_STATE" ]
}

# The keeper goes last: with it goes the lock, and the next rig begins.
lock_release() {
	local pid
	pid=$(lock_keeper_pid)
	rm -rf "$RIG_RUN" "$RIG_LOCK.owner"
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
}
