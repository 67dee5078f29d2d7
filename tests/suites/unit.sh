# shellcheck shell=bash disable=SC2154 # set by tests/run
# User-space units, with the sanitizers. Sourced by tests/run.

unit_suite() {
	local units=$top/build/unit one log
	check unit-build 900 make -j"$(nproc)" -C tests/unit O="$units" all || return
	timeout --kill-after=20 900 make -s -C tests/unit O="$units" check >"$out/unit.log" 2>&1 </dev/null
	for one in $(make -s -C tests/unit O="$units" list); do
		log=$units/log/$one
		[ -e "$log" ] || { tell fail "$one" "did not run"; continue; }
		tap "$one" "$log"
		# Without its totals it did not come to its end, whatever it said before.
		grep -q '^# Totals:' "$log" || tell fail "$one" "no end: see build/unit/log/$one"
		tail -n 1 "$log" | grep -qx '# exit 0' && continue
		grep -q '^not ok ' "$log" || tell fail "$one" "$(tail -n 1 "$log")"
		grep '^#' "$log" | tail -n 40 | sed 's/^/    /'
	done
}

unit_suite
