# shellcheck shell=bash
# Initial RAM disks: the hosts' and the test guest's. Both carry only the
# modules that are needed, in the order in which they load.

HOST_MODULES=(virtio_pci 9pnet_virtio 9p overlay)
GUEST_MODULES=(virtio_pci virtio_net virtio_blk virtio_balloon)

# image_modules DIR KVER NAME...: copies the modules and what they need to
# DIR/modules and lists them in DIR/modules.list.
image_modules() {
	local dir=$1 kver=$2 file name
	shift 2
	mkdir -p "$dir/modules"
	modprobe -d "${MODROOT:-/}" -S "$kver" -a --show-depends "$@" 2>/dev/null |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r file; do
			name=$(basename "$file" | sed 's/\.ko.*/.ko/')
			case $file in
			*.xz) xz -dc "$file" >"$dir/modules/$name" ;;
			*.zst) zstd -qdc "$file" >"$dir/modules/$name" ;;
			*) cp "$file" "$dir/modules/$name" ;;
			esac
			echo "$name"
		done >"$dir/modules.list"
	[ -s "$dir/modules.list" ] ||
		die "no modules for kernel $kver under ${MODROOT:-}/lib/modules: install linux-image-$kver"
}

# image_pack DIR FILE: written aside and renamed, so nobody reads half of it.
image_pack() {
	(cd "$1" && find . | cpio --quiet -o -H newc | gzip -1) >"$2.new" && mv "$2.new" "$2"
	rm -rf "$1"
}

image_busybox() {
	local bb
	for bb in /bin/busybox /usr/bin/busybox; do
		[ -x "$bb" ] && file_is_static "$bb" && echo "$bb" && return
	done
	die "no static busybox: run $RIG_SRC/deps.sh"
}

file_is_static() {
	! ldd "$1" >/dev/null 2>&1
}

image_host() {
	local dir
	dir=$(mktemp -d)
	mkdir -p "$dir/bin" "$dir/proc" "$dir/sys" "$dir/dev" "$dir/root"
	cp "$(image_busybox)" "$dir/bin/busybox" || exit 1
	cp "$RIG_SRC/host/initrd-init" "$dir/init"
	image_modules "$dir" "$1" "${HOST_MODULES[@]}"
	image_pack "$dir" "$RIG_STATE/host-$1.cpio.gz"
}

# Those that a guest needs beside, to run guests itself.
image_kvm_modules() {
	if host_is_emulated || grep -qw svm /proc/cpuinfo; then
		echo kvm_amd
	else
		echo kvm_intel
	fi
}

# image_guest_path KVER [nested]
image_guest_path() {
	echo "$RIG_STATE/guest-$1${2:+-$2}.cpio.gz"
}

# image_guest KVER [nested]
image_guest() {
	local dir modules=("${GUEST_MODULES[@]}")
	[ -z "${2:-}" ] || modules+=("$(image_kvm_modules)")
	dir=$(mktemp -d)
	mkdir -p "$dir/proc" "$dir/sys" "$dir/dev"
	cp "$RIG_BIN/guest" "$dir/init"
	image_modules "$dir" "$1" "${modules[@]}"
	image_pack "$dir" "$(image_guest_path "$@")"
}
