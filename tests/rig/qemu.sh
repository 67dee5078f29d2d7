# shellcheck shell=bash
# QEMUs for the guests: Debian's, or by the name "backports" that of the release's
# backports, unpacked beside the installed one and kept.

QEMU_PARTS=(qemu-system-x86 qemu-system-common qemu-system-data seabios)

qemu_unpack_backports() {
	local dir=$1 part
	(
		apt_config "$dir" deb RELEASE-backports || die "cannot look for backports"
		cd "$dir" || exit 1
		export APT_CONFIG=$dir/apt/config
		apt-get -qq update && apt-get -qq download "${QEMU_PARTS[@]}" || exit 1
		for part in *.deb; do
			dpkg -x "$part" root || exit 1
		done
		rm -rf -- *.deb apt
		cat >run.new <<-END
			#!/bin/sh
			exec $dir/root/usr/bin/qemu-system-x86_64 -L $dir/root/usr/share/qemu \\
				-L $dir/root/usr/share/seabios -L /usr/lib/ipxe/qemu "\$@"
		END
		chmod 755 run.new
	) >&2 || return 1
	"$dir/run.new" --version >/dev/null || return 1
	mv "$dir/run.new" "$dir/qemu-system-x86_64"
}

# qemu_path NAME: a program; "backports" is fetched when it is not there yet.
qemu_path() {
	local dir=$RIG_KERNELS/qemu-backports
	if [ "$1" != backports ]; then
		echo "$1"
		return
	fi
	(
		mkdir -p "$dir"
		flock 8
		[ -x "$dir/qemu-system-x86_64" ] || qemu_unpack_backports "$dir"
	) 8>"$RIG_KERNELS/qemu.lock" || die "QEMU of the backports cannot be fetched or does not run"
	echo "$dir/qemu-system-x86_64"
}
