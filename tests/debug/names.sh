# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# Where the debug kernel is: outside the tree, since it takes long to build.

# shellcheck source=tests/rig/names.sh
. "$(dirname "${BASH_SOURCE[0]}")/../rig/names.sh"

DEBUG_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEBUG_DIR=$RIG_KERNELS/debug-kernel
DEBUG_TREE=$DEBUG_DIR/source
DEBUG_MODROOT=$DEBUG_DIR/modroot

# What `uname -r` says on it.
debug_kver() {
	cat "$DEBUG_TREE/include/config/kernel.release"
}

debug_bzimage() {
	echo "$DEBUG_DIR/vmlinuz-$(debug_kver)"
}

# For make modules; out of a source tree that was built.
debug_kdir() {
	echo "$DEBUG_MODROOT/lib/modules/$(debug_kver)/build"
}
