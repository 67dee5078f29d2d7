# shellcheck shell=bash
# The rig's own C programs, built when a source is newer than they are.

RIG_CFLAGS=(-static -O2 -Wall -Wextra -Werror -pthread)

program_is_fresh() {
	[ -x "$RIG_BIN/$1" ] &&
		[ -z "$(find "$RIG_SRC" -name '*.[ch]' -newer "$RIG_BIN/$1" -print -quit)" ]
}

# program_build NAME SOURCE...
program_build() {
	local name=$1
	shift
	program_is_fresh "$name" && return
	"${CC:-cc}" "${RIG_CFLAGS[@]}" -o "$RIG_BIN/$name.new" "$@" ||
		die "cannot build $name: are the packages of packages.txt installed? ($RIG_SRC/deps.sh)"
	mv "$RIG_BIN/$name.new" "$RIG_BIN/$name"
}

program_build_all() {
	local g=$RIG_SRC/guest
	mkdir -p "$RIG_BIN"
	program_build commandd "$RIG_SRC/host/commandd.c"
	program_build command "$RIG_SRC/command.c"
	program_build qmp "$RIG_SRC/qmp.c"
	program_build client "$RIG_SRC/client.c"
	program_build stampdisk "$RIG_SRC/stampdisk.c" "$g/sector.c"
	program_build pagesum "$RIG_SRC/pagesum.c"
	program_build guest "$g"/*.c
	ln -sf bin/client "$RIG_STATE/client"
}
