# shellcheck shell=bash disable=SC2034,SC2154 # set for, and by, run
# The migrations that are compared. kind NAME fills
#
#   MEMDEV   what the guest's RAM is made of: each has what it is best with
#   HOW      options of vmfastmig downtime
#
# QEMU's own have no limit on bandwidth; the downtime limit is the same for all.

KINDS_ALL="tcp multifd zerocopy postcopy preempt rdma pin-all rdmafast floor"
LIMIT_MS=300
HUGE_DIR=/run/huge

kind() { # NAME FROM TO
	local to
	to=$(address_of "$3")
	MEMDEV=file:$HUGE_DIR
	HOW=(--parameter "downtime-limit=$LIMIT_MS" --parameter max-bandwidth=10000000000)
	case $1 in
	tcp) HOW+=(--uri "tcp:$to:4444") ;;
	multifd) HOW+=(--uri "tcp:$to:4444" --capability multifd --parameter multifd-channels=4) ;;
	zerocopy)
		HOW+=(--uri "tcp:$to:4444" --capability multifd --parameter multifd-channels=4
			--source-capability zero-copy-send)
		;;
	postcopy) HOW+=(--uri "tcp:$to:4444" --postcopy) ;;
	preempt) HOW+=(--uri "tcp:$to:4444" --postcopy --capability postcopy-preempt) ;;
	rdma) HOW+=(--uri "rdma:$to:4444") ;;
	pin-all) HOW+=(--uri "rdma:$to:4444" --capability rdma-pin-all) ;;
	rdmafast)
		MEMDEV=vmfastmig
		HOW=(--uri "rdmafast:$(host_of "$3")?downtime=$LIMIT_MS"
			--source-daemon-qmp /run/rig/bench.qmp --dest-daemon-qmp /run/rig/bench.qmp)
		;;
	floor)
		MEMDEV=shared
		HOW+=(--uri "tcp:$to:4444" --capability x-ignore-shared)
		;;
	*) die "no migration $1: one of $KINDS_ALL" ;;
	esac
}

kind_title() {
	case $1 in
	tcp) echo "tcp:" ;;
	multifd) echo "tcp: + multifd" ;;
	zerocopy) echo "tcp: + multifd + zero-copy" ;;
	postcopy) echo "tcp: + postcopy" ;;
	preempt) echo "tcp: + postcopy + preempt" ;;
	rdma) echo "rdma:" ;;
	pin-all) echo "rdma: + rdma-pin-all" ;;
	rdmafast) echo "rdmafast:" ;;
	floor) echo "floor (RAM in place)" ;;
	esac
}

address_of() { # HOST
	echo "10.77.1.$(host_number "$1")"
}
