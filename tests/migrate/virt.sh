# shellcheck shell=bash disable=SC2034,SC2154 # for and of others
# libvirt on the emulated hosts: libvirtd, confined by AppArmor as Debian has it, and
# domains. Sourced after scene.sh.

images=/var/lib/libvirt/images
emulator=/usr/bin/qemu-system-x86_64

# libvirtd HOST: with what Documentation/libvirt.md has an administrator do. The TCP
# socket without authentication is the rig's: nobody else is on its network.
libvirtd_on() {
	on "$1" sh -ec "
		! pidof libvirtd >/dev/null || exit 0
		grep -q ' /sys/kernel/security ' /proc/mounts ||
			mount -t securityfs securityfs /sys/kernel/security
		if ! grep -q '^listen_tcp' /etc/libvirt/libvirtd.conf; then
			echo 'memory_backing_dir = \"/dev/vmfastmig\"' >>/etc/libvirt/qemu.conf
			echo '/run/vmfastmig/libvirt/* rw,' >>/etc/apparmor.d/local/abstractions/libvirt-qemu
			# The same rules, compiled in less time.
			printf 'Optimize=no-%s\\n' expr-simplify minimize >>/etc/apparmor/parser.conf
			apparmor_parser -r /etc/apparmor.d/usr.sbin.libvirtd \
				/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper
			uuid=\$(hostname | md5sum | cut -c 1-12)
			cat >>/etc/libvirt/libvirtd.conf <<-END
				listen_tls = 0
				listen_tcp = 1
				auth_tcp = \"none\"
				host_uuid = \"76697274-0000-4000-8000-\$uuid\"
				log_outputs = \"2:file:/run/libvirtd.log\"
			END
		fi
		modprobe vhost_net
		chgrp kvm /dev/kvm && chmod 660 /dev/kvm	# as udev does
		mkdir -p /run/libvirt
		pidof virtlogd >/dev/null || virtlogd -d
		libvirtd -d --listen
		n=0
		while ! virsh -q uri >/dev/null 2>&1; do
			n=\$((n + 1))
			[ \$n -lt 200 ] || { tail /run/libvirtd.log; exit 1; }
			sleep 0.1
		done
		virsh domcapabilities --virttype kvm --emulatorbin $emulator >/dev/null" ||
		die "no libvirtd on host $1"
}

# libvirt_qemu HOST: puts the QEMU that $QEMU names there in the place of the installed one,
# with its files, so that libvirt and AppArmor know it by the path they always do.
libvirt_qemu() {
	local path
	path=$("$rig" qemu "${QEMU:-qemu-system-x86_64}" "$1")
	[[ $path == */qemu-backports/* ]] || return 0
	on "$1" sh -ec "
		grep -q ' $emulator ' /proc/mounts && exit 0
		cd ${path%/*}/root
		mount --bind usr/share/qemu /usr/share/qemu
		mount --bind usr/share/seabios /usr/share/seabios
		mount --bind usr/lib/x86_64-linux-gnu/qemu /usr/lib/x86_64-linux-gnu/qemu
		mount --bind usr/bin/qemu-system-x86_64 $emulator" ||
		die "host $1 cannot have $path in the place of $emulator"
}

guest_files() { # HOST WORDS
	on "$1" sh -c "mkdir -p $images && cp $(word_after -kernel <<<"$2") $images/kernel &&
		cp $(word_after -initrd <<<"$2") $images/initrd"
}

# As what the filesystem shows itself to the QEMUs that are started from now on.
shown_as() { # hugetlbfs|vmfastmig
	local host
	for host in a b; do
		on $host mount -o "remount,statfs=$1" /dev/vmfastmig
	done
}

# Both at once: libvirt has a QEMU tell its capabilities first, which takes long here.
libvirt_hosts() {
	local pids=() host pid words
	shown_as hugetlbfs
	words=$("$rig" guest words files)	# makes them where they are not there
	for host in a b; do
		(libvirt_qemu "$host" && libvirtd_on "$host" && guest_files "$host" "$words") >&2 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || die "libvirt does not start"
	done
}

libvirtd_off() { # HOST
	# shellcheck disable=SC2016 # the host's
	on "$1" sh -c 'pid=$(pidof libvirtd) && kill -KILL $pid; rm -f /run/libvirtd.pid; sleep 0.2'
}

word_after() { # WORD, of the words on standard input
	grep -xA 1 -e "$1" | tail -n 1
}

# domain_xml NAME MEMORY-BACKING [OPTION...]: of a guest of the rig.
domain_xml() {
	local name=$1 backing=$2 words
	shift 2
	words=$("$rig" guest words "$name" "$@") || return
	cat <<-END
		<domain type='kvm'>
		  <name>$name</name>
		  <uuid>$(word_after -uuid <<<"$words")</uuid>
		  <memory unit='MiB'>$(word_after -m <<<"$words" | tr -d M)</memory>
		  <memoryBacking>$backing</memoryBacking>
		  <vcpu>1</vcpu>
		  <os>
		    <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
		    <kernel>$images/kernel</kernel>
		    <initrd>$images/initrd</initrd>
		    <cmdline>$(word_after -append <<<"$words")</cmdline>
		  </os>
		  <features><acpi/></features>
		  <cpu mode='host-passthrough' migratable='off'/>
		  <on_crash>destroy</on_crash>
		  <devices>
		    <emulator>$emulator</emulator>
		    <controller type='usb' model='none'/>
		    <interface type='bridge'>
		      <mac address='$(grep -o 'mac=[^,]*' <<<"$words" | cut -d = -f 2)'/>
		      <source bridge='br-lan'/>
		      <model type='virtio'/>
		      <rom enabled='no'/>
		    </interface>
		    <serial type='file'><source path='/run/rig/$name.console'/></serial>
		    <memballoon model='none'/>
		  </devices>
		  ${MORE_XML:-}
		</domain>
	END
}

on_vmfastmig="<source type='file'/><access mode='shared'/>"

# domain_on HOST NAME MEMORY-BACKING [OPTION...]: defines and starts it, with $MORE_XML.
domain_on() {
	local host=$1 name=$2
	domain_xml "$2" "$3" "${@:4}" >"$rig_state/$name.xml"
	on "$host" sh -c "
		virsh -q define $rig_state/$name.xml && virsh -q start $name" >&2 ||
		die "libvirt on host $host does not start $name"
}

# In the place of scene.sh's: libvirt has the monitor.
guest_state() { # HOST NAME
	on "$1" virsh -q domstate "$2" 2>/dev/null | head -n 1 || true
}

# The file of a domain's RAM, there.
domain_ram() { # HOST NAME
	on "$1" sh -c "ls /dev/vmfastmig/libvirt/qemu/*-$2/pc.ram"
}

domain_pages_are_same() { # FROM TO NAME
	local from to
	from=$(domain_ram "$1" "$3")
	to=$(domain_ram "$2" "$3")
	ram_files_are_same "$1" "$from" "$2" "$to"
}

domain_has_huge_pages() { # HOST NAME
	# shellcheck disable=SC2016 # the host's
	on "$1" sh -ec 'awk "/pc.ram$/ { ours = 1 } /^FilePmdMapped/ && ours { exit !\$2 }" \
		/proc/$(cat /run/libvirt/qemu/'"$2"'.pid)/smaps' || die "RAM of $2 on host $1 is mapped by 4 KiB"
}

# What a QEMU of libvirt's was denied; and that it was confined at all. QEMU 10 would like to
# know how many mappings it may have, which libvirt 9.0 does not let it.
domain_is_confined() { # HOST NAME
	local profile denied
	# shellcheck disable=SC2016 # the host's
	profile=$(on "$1" sh -c 'cat /proc/$(cat /run/libvirt/qemu/'"$2"'.pid)/attr/current')
	[[ $profile == libvirt-*' (enforce)' ]] || die "QEMU of $2 on host $1 is confined by $profile"
	denied=$(on "$1" sh -c "dmesg | grep 'apparmor=.DENIED' | grep -E 'libvirt|vmfastmig' |
		grep -v max_map_count || true")
	[ -z "$denied" ] || die "on host $1: $denied"
}

# Domain vm, as the scenarios have it.
guest=(--ram 128M --ws 4M --cold 4M --dirty 2M --check 32M)
mover=

domain_waited() {
	domain_on a vm "$on_vmfastmig" "${guest[@]}"
	"$rig" guest wait a vm 120
}

domain_off() {
	on a sh -c 'virsh -q destroy vm; virsh -q undefine vm; true' >/dev/null 2>&1
}

# The daemon's part, then virsh's.
listen() { # HOST TO [OPTION...]
	on "$1" "$vmfastmig" virsh-listen vm "$(host_of "$2")" "${@:3}" 2>&1
}

# Let go of by move_on.
hold_at() { # HOST PHASE
	on "$1" sh -c "echo $2 >/run/vmfastmigd.hold"
}

# virsh migrate, in the background.
virsh_goes() { # FROM TO OPTION...
	ON_TIMEOUT=240 on "$1" virsh migrate --live "${@:3}" \
		--migrateuri unix:///run/vmfastmig/libvirt/vm vm "qemu+tcp://$(host_of "$2")/system" \
		>"$scratch/virsh.log" 2>&1 &
	mover=$!
}

# Both at once.
wrapped_goes() { # FROM TO [OPTION...]
	ON_TIMEOUT=240 on "$1" "$vmfastmig" virsh-migrate --desturi "qemu+tcp://$(host_of "$2")/system" \
		vm "rdmafast:$(host_of "$2")?bandwidth=24M" "${@:3}" >"$scratch/virsh.log" 2>&1 &
	mover=$!
}

# The mover does; libvirt starts a QEMU first, which takes its time.
goes_up_to() { # HOST PHASE
	local n
	for n in {1..600}; do
		! reached "$1" "$2" || return 0
		kill -0 "$mover" 2>/dev/null || die "virsh ended before $2: $(cat "$scratch/virsh.log")"
		sleep 0.2
	done
	die "the migration did not come to $2 in $n looks"
}

refused() { # WHAT TEXT
	[[ $2 == *"$1"* ]] || die "told is not \"$1\" but: $2"
}

fails_with() { # TEXT...
	local text
	! wait "$mover" || die "virsh migrate did not fail"
	for text; do
		grep -q "$text" "$scratch/virsh.log" ||
			die "told is not \"$text\" but: $(cat "$scratch/virsh.log")"
	done
}

# The guest is at a, and nothing is anywhere else.
stays() {
	local left host
	jobs_end a 100
	jobs_end b 100
	guest_lives a vm
	[ -z "$(guest_state b vm)" ] || die "domain vm is on host b: $(guest_state b vm)"
	nothing_left
	for host in a b; do
		left=$(on "$host" sh -c 'ls /run/vmfastmig/libvirt')
		[ -z "$left" ] || die "host $host has sockets left: $left"
	done
}
