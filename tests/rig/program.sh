# shellcheck shell=bash
# The rig's own C programs, built when a source is newer than they are. The guest
# answers with the code of the product's responder; its own guest is the kselftests'.

RIG_CFLAGS=(-static -O2 -Wall -Wextra -Werror -pthread)
RIG_PRODUCT=$RIG_REPO/userspace
RIG_VCPU=$RIG_REPO/tests/kselftest/vcpu
RIG_RESPONDER=(answer text intake size latency pace thread ticker stalls port udp connection tcp)

program_is_fresh() {
	[ -x "$RIG_BIN/$1" ] &&
		[ -z "$(find "$RIG_SRC" "$RIG_PRODUCT/responder" "$RIG_PRODUCT"/{fault.c,fault.h,clock.h} \
			"$RIG_VCPU".[ch] "${RIG_VCPU%/*}/page.h" \
			-name '*.[ch]' -newer "$RIG_BIN/$1" -print -quit)" ]
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

program_build_guest() {
	local sources=("${RIG_RESPONDER[@]/#/$RIG_PRODUCT/responder/}")
	program_build guest -D_GNU_SOURCE -I "$RIG_PRODUCT" -I "$RIG_REPO/tests" "$1"/*.c \
		"${sources[@]/%/.c}" "$RIG_PRODUCT/fault.c" "$RIG_VCPU.c"
}

program_build_all() {
	local g=$RIG_SRC/guest
	mkdir -p "$RIG_BIN"
	program_build commandd "$RIG_SRC/host/commandd.c"
	program_build command "$RIG_SRC/command.c"
	program_build qmp "$RIG_SRC/qmp.c"
	program_build stampdisk "$RIG_SRC/stampdisk.c" "$g/sector.c"
	program_build pagesum "$RIG_SRC/pagesum.c"
	program_build holdpage "$RIG_SRC/holdpage.c"
	program_build tsckhz "$RIG_SRC/tsckhz.c"
	program_build_guest "$g"
}
