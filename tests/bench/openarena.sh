# shellcheck shell=bash
# OpenArena's dedicated server from Debian's packages, in one directory that needs
# nothing else: for the initial RAM disk of a test guest. Of the data it has one map;
# without bots no more is asked for. The game itself comes as a library.

OPENARENA_PARTS=(ioquake3-server openarena-server openarena-081-maps)
OPENARENA_MAP=oa_dm1
OPENARENA_CACHE=$RIG_KERNELS/openarena
OPENARENA_HOME=/opt/openarena

openarena_download() {
	local get=(apt-get -qq -o APT::Sandbox::User=root)
	"${get[@]}" download "${OPENARENA_PARTS[@]}" 2>/dev/null ||
		{ "${get[@]}" update && "${get[@]}" download "${OPENARENA_PARTS[@]}"; }
}

# openarena_libraries PROGRAM DIR: what it is linked with, and its loader, from here.
openarena_libraries() {
	local list
	list=$(ldd "$1") && ! grep 'not found' <<<"$list" >&2 || return 1
	mkdir -p "$2"
	grep -o '/[^ ]*' <<<"$list" | xargs cp -L -t "$2"
}

openarena_data() { # ROOT DIR
	mkdir -p "$2/maps"
	cp "$1/usr/lib/openarena-server/baseoa/qagamex86_64.so" "$2" &&
		"$(image_busybox)" unzip -p "$1/usr/share/games/openarena/baseoa/pak1-maps.pk3" \
			"maps/$OPENARENA_MAP.bsp" >"$2/maps/$OPENARENA_MAP.bsp" &&
		[ -s "$2/maps/$OPENARENA_MAP.bsp" ] &&
		echo "// the engine wants one" >"$2/default.cfg"
}

# Protocol and game as Debian's /usr/games/openarena-server has them. What the server
# prints goes to a file, as a console slows a guest down; it is shown should it end.
openarena_run() {
	cat <<-END
		#!$OPENARENA_HOME/busybox sh
		cd "\${0%/*}" || exit 1
		HOME=\$PWD
		export HOME
		lib/ld-linux-x86-64.so.2 --library-path lib ./ioq3ded +set dedicated 1 \\
			+set com_basegame baseoa +set com_protocol 71 +set com_legacyprotocol 71 \\
			+set fs_basepath "\$PWD" +set fs_homepath "\$PWD/home" +set vm_game 0 \\
			+set com_hunkMegs 32 +set net_enabled 1 +set ttycon 0 +set g_log "" \\
			+set sv_pure 0 +set sv_maxclients 8 +set bot_enable 0 \\
			+set timelimit 0 +set fraglimit 0 +set g_allowVote 0 "\$@" \\
			+map $OPENARENA_MAP >log 2>&1 </dev/null
		echo "openarena-server ended with \$?"
		./busybox tail -n 20 log
	END
}

openarena_build() { # DIR
	local dir=$1
	(
		cd "$dir" && mkdir tree && openarena_download || exit 1
		for part in *.deb; do
			dpkg -x "$part" root || exit 1
		done
		cp root/usr/lib/ioquake3/ioq3ded "$(image_busybox)" tree &&
			openarena_libraries tree/ioq3ded tree/lib &&
			openarena_data root tree/baseoa
	)
}

# openarena_tree: prints where the server is, as it is to be copied to $OPENARENA_HOME.
# It is fetched once. A client of ours wants its ioq3ded, too.
openarena_tree() {
	(
		mkdir -p "$OPENARENA_CACHE"
		flock 8
		if [ ! -d "$OPENARENA_CACHE/tree" ]; then
			rm -rf "$OPENARENA_CACHE/new"
			mkdir "$OPENARENA_CACHE/new" && openarena_build "$OPENARENA_CACHE/new" &&
				mv "$OPENARENA_CACHE/new/tree" "$OPENARENA_CACHE/tree" || exit 1
			rm -rf "$OPENARENA_CACHE/new"
		fi
		openarena_run >"$OPENARENA_CACHE/tree/run" && chmod 755 "$OPENARENA_CACHE/tree/run"
	) 8>"$RIG_KERNELS/openarena.lock" >&2 ||
		die "cannot fetch or unpack OpenArena's server (${OPENARENA_PARTS[*]})"
	echo "$OPENARENA_CACHE/tree"
}

# openarena_image KVER FILE: the test guest's initial RAM disk with the server in it.
openarena_image() {
	local dir tree
	tree=$(openarena_tree) || exit 1
	dir=$(mktemp -d)
	mkdir -p "$dir/proc" "$dir/sys" "$dir/dev" "$dir$OPENARENA_HOME"
	cp "$RIG_BIN/guest" "$dir/init"
	cp -a "$tree/." "$dir$OPENARENA_HOME"
	image_modules "$dir" "$1" "${GUEST_MODULES[@]}"
	image_pack "$dir" "$2"
}
