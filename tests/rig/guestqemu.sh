# shellcheck shell=bash disable=SC2034
# The command line of a guest's QEMU.

guest_parse() { # of HOST, for guest NAME: OPTION...
	OF=$NAME RAM=256M VCPUS=1 BACKENDS=() MEMDEV=vmfastmig DISKS=() BALLOON='' INCOMING='' PAUSED=''
	GUEST_ARGS='' GUEST_KERNEL='' GUEST_INITRD='' GUEST_APPEND='' GUEST_NESTED='' GUEST_VHOST=yes
	GUEST_KVER=${KVER%%,*} MACHINE=pc CPU=host EXTRA=''
	QEMU=$(qemu_path "$(host_pick "$HOST" "${QEMU:-qemu-system-x86_64}")") || exit 1
	while [ $# -gt 0 ]; do
		case $1 in
		--incoming) INCOMING=yes ;;
		--paused) PAUSED=yes ;;
		--no-vhost) GUEST_VHOST='' ;;
		--balloon) BALLOON=virtio-balloon-pci,id=balloon ;;
		*)
			[ $# -ge 2 ] || die "guest start: $1 needs a value, or is unknown"
			guest_parse_value "$1" "$2"
			shift
			;;
		esac
		shift
	done
}

guest_parse_value() {
	case $1 in
	--of) OF=$2 ;;
	--ram) RAM=$2 ;;
	--vcpus) VCPUS=$2 ;;
	--backend) BACKENDS+=("$2") ;;
	--memdev) MEMDEV=$2 ;;
	--disk) DISKS+=("$2") ;;
	--balloon-opts) BALLOON=virtio-balloon-pci,id=balloon,$2 ;;
	--dirty | --ws | --cold | --pattern | --check | --writers | --readers | --read)
		GUEST_ARGS+=" vmfm.${1#--}=$2"
		;;
	--nested)
		GUEST_NESTED=nested
		GUEST_ARGS+=" vmfm.nested=$2"
		;;
	--kernel) GUEST_KERNEL=$(realpath "$2") ;;
	--initrd) GUEST_INITRD=$(realpath "$2") ;;
	--append) GUEST_APPEND=$2 ;;
	--kver) GUEST_KVER=$2 ;;
	--qemu) QEMU=$(qemu_path "$2") || exit 1 ;;
	--machine) MACHINE=$2 ;;
	--cpu) CPU=$2 ;;
	--extra) EXTRA=$2 ;;
	*) die "guest start: unknown option $1" ;;
	esac
}

# guest_memdev_args ID SIZE FILE
guest_memdev_args() {
	case $MEMDEV in
	vmfastmig) echo "memory-backend-file,id=$1,size=$2,mem-path=/dev/vmfastmig/$3,share=on,align=2M" ;;
	file:*) echo "memory-backend-file,id=$1,size=$2,mem-path=${MEMDEV#file:}/$3,share=on,align=2M" ;;
	memfd) echo "memory-backend-memfd,id=$1,size=$2,share=on" ;;
	shared) echo "memory-backend-file,id=$1,size=$2,mem-path=/sys/bus/pci/devices/0000:00:${RIG_SHARED_SLOT#0x}.0/resource2,share=on" ;;
	hugetlb) echo "memory-backend-memfd,id=$1,size=$2,share=on,hugetlb=on,hugetlbsize=2M" ;;
	ram) echo "memory-backend-ram,id=$1,size=$2" ;;
	*) die "guest start: no --memdev $MEMDEV: vmfastmig, memfd, hugetlb, shared, ram or file:DIR" ;;
	esac
}

# One backend is the machine's; several are NUMA nodes, whose RAM adds up.
guest_ram_args() {
	local i n=${#BACKENDS[@]} file
	if [ "$n" -lt 2 ]; then
		printf '%s\n' -m "$RAM" -object "$(guest_memdev_args ram0 "$RAM" "$OF")"
		return
	fi
	printf '%s\n' -m "$(guest_sum "${BACKENDS[@]}")"
	for ((i = 0; i < n; i++)); do
		file=$OF
		[ $i -eq 0 ] || file=$OF-$i
		printf '%s\n' -object "$(guest_memdev_args "ram$i" "${BACKENDS[i]}" "$file")" \
			-numa "node,nodeid=$i,memdev=ram$i$([ $i -ne 0 ] || echo ",cpus=0-$((VCPUS - 1))")"
	done
}

# In MiB, from sizes like 134217728, 128M, 1G.
guest_sum() {
	local size sum=0
	for size in "$@"; do
		sum=$((sum + $(numfmt --from=iec "$size")))
	done
	echo "$((sum >> 20))M"
}

# --disk FILE,aio=native: past the page cache unless it says otherwise.
guest_disk_args() {
	local i=0 disk
	for disk in "${DISKS[@]}"; do
		printf '%s\n' -drive "if=none,id=disk$i,format=raw,cache=none,file.locking=off,file=$disk" \
			-device "virtio-blk-pci,drive=disk$i,share-rw=on"
		i=$((i + 1))
	done
}

guest_kernel_args() {
	local line
	line=$(guest_kernel_line)
	[ ${#DISKS[@]} -eq 0 ] || line+=" vmfm.disk=/dev/vda"
	if [ -z "$GUEST_KERNEL" ]; then
		GUEST_KERNEL=$(kernel_unpack "/boot/vmlinuz-$GUEST_KVER")
		[ -n "$GUEST_INITRD" ] || GUEST_INITRD=$(guest_initrd) || exit 1
	fi
	printf '%s\n' -kernel "$GUEST_KERNEL" -append "$line $GUEST_APPEND"
	[ -z "$GUEST_INITRD" ] || printf '%s\n' -initrd "$GUEST_INITRD"
}

guest_socket_args() {
	local socket
	for socket in qmp qmp2; do
		printf '%s\n' -qmp "unix:/run/rig/$NAME.$socket,server=on,wait=off"
	done
	# Without -D it says nothing any more once it is in the background.
	printf '%s\n' -serial "file:/run/rig/$NAME.console" -pidfile "/run/rig/$NAME.pid" \
		-D "/run/rig/$NAME.qemu.log"
}

guest_net_args() {
	local crc
	crc=$(guest_crc "$OF")
	printf '%s\n' -uuid "$(guest_uuid "$crc")" -netdev \
		"tap,id=net0,ifname=tap-$1,script=no,downscript=no$([ -z "$GUEST_VHOST" ] || echo ,vhost=on)" \
		-device "virtio-net-pci,netdev=net0,mac=$(guest_mac "$crc"),romfile="
}

# guest_command NUMBER: fills GUEST_QEMU.
guest_command() {
	local machine=$MACHINE,accel=kvm,suppress-vmdesc=on lists
	[ ${#BACKENDS[@]} -ge 2 ] || machine+=,memory-backend=ram0
	[ ${#BACKENDS[@]} -ne 1 ] || RAM=${BACKENDS[0]}
	lists=$(guest_ram_args && guest_net_args "$1" && guest_disk_args &&
		guest_kernel_args && guest_socket_args) || return 1
	mapfile -t GUEST_QEMU <<<"$lists"
	GUEST_QEMU=("$QEMU" -name "$OF" -machine "$machine" -cpu "$CPU" -smp "$VCPUS"
		-display none -vga none -nodefaults -no-user-config -no-reboot -daemonize
		"${GUEST_QEMU[@]}")
	[ -z "$BALLOON" ] || GUEST_QEMU+=(-device "$BALLOON")
	[ -z "$INCOMING" ] || GUEST_QEMU+=(-incoming defer)
	[ -z "$PAUSED" ] || GUEST_QEMU+=(-S)
	# shellcheck disable=SC2206 # raw words, on purpose
	GUEST_QEMU+=($EXTRA)
}
