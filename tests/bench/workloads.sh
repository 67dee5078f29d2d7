# shellcheck shell=bash disable=SC2034 # set for run
# What the guest does. workload NAME fills
#
#   GUEST    options of the rig's guest
#   PROBES   options of vmfastmig downtime
#
# QEMU's rdma: ends on the rig's link below about 6 MB/s of dirtied pages.

WORKLOADS_ALL="idle below near above sequential traffic"

workload() { # NAME
	GUEST=(--ram "$RAM" --check 0)
	PROBES=(--rate 100)	# an emulated guest answers some hundred a second
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
	*) die "no workload $1: one of $WORKLOADS_ALL" ;;
	esac
}
