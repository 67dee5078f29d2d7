#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs on an emulated host with the debug kernel and the module loaded:
# run.sh BINDIR ADDR TEST... Every kind of allocation may be made to fail.
set -u
bin=$1
debug=/sys/kernel/debug
export VMFM_ADDR="$2"
shift 2

if [ ! -d $debug/failslab ] || [ ! -d $debug/fail_page_alloc ]; then
	echo "1..0 # SKIP this kernel injects no failures of allocations"
	exit 4
fi
echo N >$debug/failslab/ignore-gfp-wait
echo N >$debug/fail_page_alloc/ignore-gfp-wait
echo N >$debug/fail_page_alloc/ignore-gfp-highmem
echo 0 >$debug/fail_page_alloc/min-order
for kind in failslab fail_page_alloc; do
	echo 0 >$debug/$kind/probability
	echo 0 >$debug/$kind/verbose
done

status=0
for test in "$@"; do
	"$bin/$test" || status=1
done
exit $status
