# shellcheck shell=bash disable=SC2034,SC2154 # set by and for tests/run
# Scenarios with each kernel and each QEMU, and from one to the other. A cell is where
# one runs, KERNEL-QEMU, or FROM_TO where the hosts differ; each is named SCENARIO@CELL.
# ONLY, a regular expression, picks some by these names. Sourced by tests/run.

ONLY=${ONLY:-.}
matrix_file=$top/build/matrix.md

# What runs where both hosts are alike. Of the failures, what has most to do with QEMU.
matrix_alike=("400 idle" "400 dirty-below" "400 two-vcpus" "400 exec" "400 monitor" "400 refusals"
	"600 failures cancel bulk final-round commit" "600 failures daemon-b late device-state"
	"600 failures qemu-b device-state ready" "900 libvirt")

# matrix_cell CELL KVER QEMU WHAT: the scenarios of array matrix_WHAT, on hosts with these.
matrix_cell() {
	local -n what=matrix_$4
	local words wanted=()
	CELL=$1
	for words in "${what[@]}"; do
		# shellcheck disable=SC2086 # words
		[[ ! $(scenario_name ${words#* }) =~ $ONLY ]] || wanted+=("$words")
	done
	[ ${#wanted[@]} -gt 0 ] || return 0
	"$rig" down >/dev/null 2>&1
	for words in "${wanted[@]}"; do
		# shellcheck disable=SC2086
		KVER=$2 QEMU=$3 scenario $words
	done
	check "hosts-down@$1" 60 "$rig" down
}

# matrix_table CELL...: a row for each scenario that ran in one of them.
matrix_table() {
	awk -v cells="$*" '
		BEGIN { words["pass"] = "ok"; words["fail"] = "**failed**"; words["skip"] = "skipped" }
		{ at = index($2, "@"); scenario = substr($2, 1, at - 1); cell = substr($2, at + 1) }
		!at || (" " cells " ") !~ (" " cell " ") || scenario == "hosts-down" { next }
		!(scenario in seen) { seen[scenario] = 1; order[++rows] = scenario }
		{ word[scenario, cell] = words[$1]; used[cell] = 1 }
		$1 == "pass" && scenario ~ /-refused-/ { word[scenario, cell] = "refused" }
		END {
			if (!rows)
				exit
			all = split(cells, cell_of, " ")
			for (i = 1; i <= all; i++)
				if (cell_of[i] in used)
					column[++n] = cell_of[i]
			printf "| scenario |"
			for (i = 1; i <= n; i++) {
				text = column[i]
				gsub("-", " / ", text)
				sub("_", " to ", text)
				printf " %s |", text
			}
			printf "\n|---|"
			for (i = 1; i <= n; i++)
				printf "---|"
			print ""
			for (r = 1; r <= rows; r++) {
				printf "| %s |", order[r]
				for (i = 1; i <= n; i++)
					printf " %s |", word[order[r], column[i]]
				print ""
			}
			print ""
		}' "$tally"
}

# Sets kernels and qemus, and by their names series and version: what there is of each.
matrix_find() {
	local one found
	for one in 6.1 6.12; do
		found=$(newest_kernel $one)
		if [ -n "$found" ]; then
			kernels+=("$found") series[$found]=$one
		else
			tell skip "kernel-$one" "no $one kernel is installed"
		fi
	done
	for one in qemu-system-x86_64 backports; do
		if found=$(qemu_version $one); then
			qemus+=("$one") version[$one]=$found
		else
			tell skip "qemu-$one" "it cannot be fetched or does not run"
		fi
	done
}

# The newest first: it is the least tried.
matrix_add_alike() {
	local kernel qemu cell
	for kernel in "${kernels[@]}"; do
		for qemu in "${qemus[@]}"; do
			cell=${series[$kernel]}-${version[$qemu]}
			alike+=("$cell")
			list=("$cell $kernel $qemu alike" "${list[@]}")
		done
	done
}

matrix_add_across() { # KVER QEMU KVER QEMU WHAT
	local cell=${series[$1]}-${version[$2]}_${series[$3]}-${version[$4]}
	across+=("$cell")
	list+=("$cell $1,$3 $2,$4 $5")
}

# There and back, begun at either end: a guest is of the machine that the older QEMU has.
# One begun on the newer kernel has of its vhost what the older one's does not know; once
# it is without, it moves.
matrix_add_pairs() {
	local old=${version[${qemus[0]}]} k1=${kernels[0]} k2=${kernels[-1]} q1=${qemus[0]} q2=${qemus[-1]}
	matrix_up=("400 across pc-i440fx-$old EPYC" "400 across pc-q35-$old EPYC")
	matrix_down=("400 across pc-i440fx-$old EPYC --no-vhost" "400 across pc-q35-$old EPYC --no-vhost"
		"400 across refused virtio pc-i440fx-$old EPYC"
		"400 across refused cpu-features pc-i440fx-$old host --no-vhost")
	matrix_both_up=("${matrix_up[@]}" "400 across refused machine pc EPYC"
		"400 across refused machine q35 EPYC")
	matrix_both_down=("${matrix_down[@]}" "400 across refused machine pc EPYC --no-vhost"
		"400 across refused machine q35 EPYC --no-vhost")
	if [ "$q1" != "$q2" ] && [ "$k1" != "$k2" ]; then
		matrix_add_across "$k1" "$q1" "$k2" "$q2" both_up
		matrix_add_across "$k2" "$q2" "$k1" "$q1" both_down
	fi
	if [ "$q1" != "$q2" ]; then
		matrix_add_across "$k1" "$q1" "$k1" "$q2" up
		matrix_add_across "$k1" "$q2" "$k1" "$q1" up
	fi
	if [ "$k1" != "$k2" ]; then
		matrix_add_across "$k1" "$q1" "$k2" "$q1" up
		matrix_add_across "$k2" "$q1" "$k1" "$q1" down
	fi
}

matrix_suite() {
	local kernels=() qemus=() list=() alike=() across=()
	local -A series version
	check matrix-build 600 make -s userspace || return
	matrix_find
	if [ ${#kernels[@]} -eq 0 ] || [ ${#qemus[@]} -eq 0 ]; then
		tell fail matrix "no kernel or no QEMU"
		return
	fi
	matrix_add_alike
	matrix_add_pairs
	lanes_down
	lanes_each matrix_cell true "${list[@]}"
	{
		matrix_table "${alike[@]}"
		matrix_table "${across[@]}"
	} >"$matrix_file"
	cat "$matrix_file"
}

matrix_suite
