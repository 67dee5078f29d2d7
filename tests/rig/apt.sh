# shellcheck shell=bash
# Packages of other releases than the machine's, from where the machine has its own.

# apt_config DIR "TYPE..." SUITE: apt with lists of its own, by APT_CONFIG=DIR/apt/config;
# the machine's stay as they are. RELEASE in SUITE is the machine's. TYPE: deb, deb-src.
apt_config() {
	local dir=$1 site release type
	read -r site release < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' |
		awk '$2 !~ /[-\/]/ && $1 ~ /debian\/?$/ { print; exit }')
	if [ -z "$site" ]; then
		echo "apt knows no Debian release" >&2
		return 1
	fi
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
	for type in $2; do
		echo "$type $site ${3/RELEASE/$release} main"
	done >"$dir/apt/list"
	cat >"$dir/apt/config" <<-END
		Dir::Etc::SourceList "$dir/apt/list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$dir/apt/lists";
		Dir::Cache "$dir/apt/cache";
		APT::Sandbox::User "root";
	END
}
