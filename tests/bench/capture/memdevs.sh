# shellcheck shell=bash disable=SC2034,SC2154 # set for, and by, run
# What memory is made of. memdev NAME sets the host up for it, and
#
#   MEMDEV   --memdev of the rig's guest
#   FILE     what capture process maps
#
# QEMU 7.2 does not align the mapping of a memory-backend-memfd: it gets no 2 MiB entries,
# whatever its pages are. What it could be is tmpfs: the same kind of file, with align=2M.

MEMDEVS_ALL="vmfastmig tmpfs hugetlb memfd vmfastmig-4k memfd-4k"
TMPFS=/run/capture-tmpfs

memdev() { # NAME
	local huge=1 shmem=advise pages=0
	case $1 in
	vmfastmig) MEMDEV=vmfastmig FILE=/dev/vmfastmig/capture ;;
	vmfastmig-4k) MEMDEV=vmfastmig FILE=/dev/vmfastmig/capture huge=0 ;;
	tmpfs) MEMDEV=file:$TMPFS FILE=$TMPFS/capture ;;
	memfd) MEMDEV=memfd FILE=memfd ;;
	memfd-4k) MEMDEV=memfd FILE=memfd shmem=never ;;
	hugetlb) MEMDEV=hugetlb FILE=hugetlb pages=160 ;;
	*) die "no memory $1: one of $MEMDEVS_ALL" ;;
	esac
	on a sh -ec "
		$capture huge $huge
		echo $shmem >/sys/kernel/mm/transparent_hugepage/shmem_enabled
		echo $pages >/proc/sys/vm/nr_hugepages
		[ \$(cat /proc/sys/vm/nr_hugepages) = $pages ] || { echo 'no $pages huge pages' >&2; exit 1; }
		mkdir -p $TMPFS
		grep -q ' $TMPFS ' /proc/mounts || mount -t tmpfs -o huge=advise,size=1G none $TMPFS"
}
