# shellcheck shell=bash
# QEMUs for the guests: Debian's, or by the name "backports" that of the release's
# backports, unpacked beside the installed one and kept.

QEMU_PARTS=(qemu-system-x86 qemu-system-common qemu-system-data seabios)

# apt with lists of its own: the machine's stay as they are.
qemu_apt_config() {
	local dir=$1 site suite
	read -r site suite < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' |
		awk '$2 !~ /[-\/]/ && $1 ~ /debian\/?$/ { print; exit }')
	[ -n "$site" ] || die "apt knows no Debian release: cannot look for backports"
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
	echo "deb $site $suite-backports main" >"$dir/apt/list"
	cat >"$dir/apt/config" <<-END
		Dir::Etc::SourceList "$dir/apt/list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$dir/apt/lists";
		Dir::Cache "$dir/apt/cache";
		APT::Sandbox::User "root";
	END
}

qemu_unpack_backports() {
	local dir=$1 part
	(
		qemu_apt_config "$dir"
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
