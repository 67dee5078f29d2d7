# shellcheck shell=bash disable=SC2034,SC2154 # set for run, and by it
# What the guest does. workload NAME fills
#
#   GUEST    options of the rig's guest
#   PROBES   options of vmfastmig downtime
#   PLAYERS  how many play Quake 3 on the server in it; 0: there is none
#
# Beside other work QEMU's rdma: ends on the rig's link below about 6 MB/s of dirtied pages;
# alone it ends at all three rates.

WORKLOADS_ALL="idle below near above sequential traffic quake"

workload() { # NAME
	GUEST=(--ram "$RAM" --check 0)
	PROBES=(--rate 100)	# an emulated guest answers some hundred a second
	PLAYERS=0
	case $1 in
	idle) GUEST+=(--dirty 0) ;;
	below) GUEST+=(--dirty 2M) ;;
	near) GUEST+=(--dirty 6M) ;;
	above) GUEST+=(--dirty 14M) ;;
	sequential) GUEST+=(--dirty 6M --pattern seq) ;;
	traffic)
		GUEST+=(--dirty 1M)
		PROBES+=(--tcp --tcp-rate 100)
		;;
	quake)
		GUEST+=(--dirty 0 --ws 8M --cold 8M --initrd "$(quake_initrd)"
			--append "vmfm.exec=$OPENARENA_HOME/run")
		PROBES=(--rate 20)
		PLAYERS=2
		;;
	*) die "no workload $1: one of $WORKLOADS_ALL" ;;
	esac
}

# The server in the guest, its players outside.
quake_initrd() {
	local file=$out/quake-$KVER.cpio.gz
	[ -s "$file" ] || "$here/openarena-initrd" "$KVER" "$file" >&2 || die "no OpenArena server: see above"
	echo "$file"
}

quake_client() {
	local client=$rig_state/bin/q3client
	[ "$client" -nt "$here/q3client/main.c" ] ||
		"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -static -O2 -Wall -Wextra -Werror -o "$client" \
			"$here"/q3client/*.c || die "q3client does not build"
	echo "$client"
}
