# Results of vmfastmig downtime to one object a sample.

def at($name): first(.marks[] | select(.where == "client" and .name == $name) | .ns) // null;
# The client's gap around the stop. Where that was not seen, its longest one.
def client: [at("last reply"), at("reply")] as $gap |
	if $gap | all then ($gap[1] - $gap[0]) / 1e6 else .client.udp.longest_gap.ms end;
# Results of a harness before it said so itself have its parts.
def guest: .guest.downtime_ms // (if .guest.clock_stop_ms and .guest.longest_jump_ms
	then .guest.clock_stop_ms + .guest.longest_jump_ms else null end);
# Of the gaps between the server's snapshots those that overlap the migration.
def player_gap: .migrate_ns as $from | (at("reply") // .end_ns) as $to |
	[.player.gaps[] | select(.to_ns > $from and .from_ns < $to) | .ms] |
	max // null;
# Up to the guest's first reply: what is tidied up later keeps nobody waiting.
def total: ((at("reply") // .end_ns) - .migrate_ns) / 1e6;

[.[] | {
	migration, kind, workload, kernel, qemu: .qemu_version,
	converged: (.partial | not),
	error: .error,
	rounds: (if .module.rounds then (.module.rounds | length)
		else .qemu.source.ram["dirty-sync-count"] end),
	downtime_ms: {
		client: (if .partial then null else client end),
		guest: (if .partial then null else guest end),
		qemu: (if .partial then null else .qemu.downtime_ms end)
	},
	postcopy: any(.marks[]; .name == "migration postcopy-active"),
	longest_gap_ms: .client.udp.longest_gap.ms,
	player: (if .player then {snapshots_per_s: .player.snapshots_per_s, lost: .player.lost,
		longest_gap_ms: player_gap} else null end),
	parts: [.downtime.parts[]? | {name, ms, attributed}],
	total_ms: (if .partial then null else total end),
	bytes_sent: ((.module.ram.bytes_sent // 0) + (.qemu.source.ram.transferred // 0)),
	cpu_s: .cpu_s,
	pinned_bytes,
	guest_throughput_ratio: .guest.throughput.ratio,
	guest_errors: .guest.errors,
	warnings
}]
