# Results of vmfastmig downtime to one object a sample.

# The client's gap around the stop. Where that was not seen, its longest one.
def client: [(.marks[] | select(.where == "client" and .name == "last reply") | .ns),
		(.marks[] | select(.where == "client" and .name == "reply") | .ns)] as $gap |
	if ($gap | length) == 2 then ($gap[1] - $gap[0]) / 1e6 else .client.udp.longest_gap.ms end;

[.[] | {
	migration, kind, workload, kernel, qemu: .qemu_version,
	converged: (.partial | not),
	error: .error,
	rounds: (if .module.rounds then (.module.rounds | length)
		else .qemu.source.ram["dirty-sync-count"] end),
	downtime_ms: {
		client: (if .partial then null else client end),
		guest: (if .partial then null else .guest.clock_stop_ms end),
		qemu: (if .partial then null else .qemu.downtime_ms end)
	},
	longest_gap_ms: .client.udp.longest_gap.ms,
	player: (if .player then {snapshots_per_s: .player.snapshots_per_s, lost: .player.lost,
		longest_gap_ms: .player.longest_gap_ms} else null end),
	parts: [.downtime.parts[]? | {name, ms, attributed}],
	total_ms: (if .partial then null else (.end_ns - .migrate_ns) / 1e6 end),
	bytes_sent: ((.module.ram.bytes_sent // 0) + (.qemu.source.ram.transferred // 0)),
	cpu_s: .cpu_s,
	pinned_bytes,
	guest_throughput_ratio: .guest.throughput.ratio,
	guest_errors: .guest.errors,
	warnings
}]
