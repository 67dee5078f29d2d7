# shellcheck shell=bash
# Kernels, unpacked, as an emulated processor takes seconds to do that at boot.
# They are kept where hosts see them through the cache of their root file system.

# Little-endian number of BYTES at OFFSET of FILE.
kernel_field() {
	od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# The compressed payload of a bzImage; see the boot protocol of Linux on x86.
kernel_payload() {
	local file=$1 sectors offset length
	[ "$(kernel_field "$file" $((0x202)) 2)" -ge $((0x208)) ] || return 1
	sectors=$(kernel_field "$file" $((0x1f1)) 1)
	offset=$(kernel_field "$file" $((0x248)) 4)
	length=$(kernel_field "$file" $((0x24c)) 4)
	tail -c "+$(((sectors + 1) * 512 + offset + 1))" "$file" | head -c "$length"
}

kernel_decompress() {
	case $(head -c 4 "$1" | od -A n -t x1 | tr -d ' ') in
	fd377a58) xz -dcq --single-stream "$1" ;;
	28b52ffd) zstd -dcq "$1" ;;
	1f8b*) gzip -dcq "$1" ;;
	*) return 1 ;;
	esac
}

# kernel_unpack FILE: prints the path of an ELF kernel that QEMU can start (it
# needs CONFIG_PVH), or FILE itself where there is no way to make one.
kernel_unpack() {
	local file=$1 to
	mkdir -p "$RIG_KERNELS"
	to=$RIG_KERNELS/$(basename "$file").elf
	if [ "$to" -nt "$file" ]; then
		echo "$to"
		return
	fi
	kernel_payload "$file" >"$to.payload" 2>/dev/null &&
		kernel_decompress "$to.payload" >"$to.new" 2>/dev/null
	rm -f "$to.payload"
	if readelf -n "$to.new" 2>/dev/null | grep -q Xen; then
		mv "$to.new" "$to"
		echo "$to"
	else
		rm -f "$to.new"
		echo "$file"
	fi
}
