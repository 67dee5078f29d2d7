# shellcheck shell=bash
# The hosts' kernel logs, read from their consoles, which outlive the host.

KERNELLOG_BAD='WARNING:|BUG:|BUG |Oops|possible circular locking|possible recursive locking'
KERNELLOG_BAD+='|suspicious RCU|inconsistent lock state|invalid wait context|lock held when returning'
KERNELLOG_BAD+='|KASAN|KCSAN|KFENCE:|UBSAN|blocked for more than|soft lockup|hard LOCKUP'
KERNELLOG_BAD+='|detected stalls|self-detected stall|refcount_t:|unable to handle'
KERNELLOG_BAD+='|general protection|Kernel panic|new suspected memory leaks|bad page|Bad page'
KERNELLOG_BAD+='|ODEBUG|list_(add|del) corruption|scheduling while atomic|sleeping function'

kernellog_size() {
	stat -c %s "$(host_dir "$1")/console.log" 2>/dev/null || echo 0
}

# From now on only what comes later counts.
kernellog_mark() {
	local host
	settings_load
	for host in $(kernellog_hosts "$@"); do
		kernellog_size "$host" >"$(host_dir "$host")/mark"
	done
}

kernellog_hosts() {
	if [ $# -gt 0 ]; then
		echo "$@"
	else
		hosts_known
	fi
}

# kernellog_since HOST FROM TO
kernellog_since() {
	tail -c "+$(($2 + 1))" "$(host_dir "$1")/console.log" | head -c $(($3 - $2)) | tr -d '\r'
}

kernellog_check_host() {
	local host=$1 from size found
	from=$(cat "$(host_dir "$host")/mark" 2>/dev/null || echo 0)
	size=$(kernellog_size "$host")
	echo "$size" >"$(host_dir "$host")/mark"
	found=$(kernellog_since "$host" "$from" "$size" |
		grep -E -B 3 -A 40 "$KERNELLOG_BAD") || return 0
	echo "--- kernel log of host $host"
	echo "$found"
	return 1
}

# kernellog_check [HOST...]: 1 when anything bad was logged since the last time.
kernellog_check() {
	local host bad=0
	settings_load
	for host in $(kernellog_hosts "$@"); do
		kernellog_check_host "$host" || bad=1
	done
	return $bad
}
