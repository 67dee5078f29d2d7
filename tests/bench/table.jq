# Samples to a table in Markdown for each kernel, QEMU and workload, in the order of $kinds and $loads.
def place($words): . as $word | $words | split(" ") | index($word);
def at(p): sort | if length == 0 then null else .[length * p | ceil - 1] end;	# nearest rank
def three: map(select(. != null)) | if length == 0 then "-" else
	"\(at(0.5) | round) / \(at(0.95) | round) / \(max | round)" end;
def median(digits): map(select(. != null)) | if length == 0 then "-" else
	at(0.5) * pow(10; digits) | round / pow(10; digits) | tostring end;

group_by([.kernel, .qemu, .workload]) | sort_by(.[0].kernel, .[0].qemu, (.[0].workload | place($loads)))[] |
"## \(.[0].workload): kernel \(.[0].kernel), QEMU \(.[0].qemu)",
"",
"Of those that completed. Downtime and gaps in ms: median / 95th percentile / longest; of all else the median.",
"",
"| migration | completed | rounds | by client | by guest | by QEMU | client\u0027s longest gap | by a player | total s | MiB sent | CPU s source | sink | throughput | pinned MiB source | sink |",
"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
(group_by(.kind) | sort_by(.[0].kind | place($kinds))[] | length as $all | .[0].migration as $title |
	map(select(.converged)) | "| \($title) | \(length) of \($all)" +
	" | \(map(.rounds) | median(0)) | \(map(.downtime_ms.client) | three) | \(map(.downtime_ms.guest) | three)" +
	" | \(map(.downtime_ms.qemu) | three) | \(map(.longest_gap_ms) | three) | \(map(.player.longest_gap_ms) | three) | \(map(.total_ms | if . then . / 1000 else null end) | median(1))" +
	" | \(map(.bytes_sent / 1048576) | median(0)) | \(map(.cpu_s.source) | median(1)) | \(map(.cpu_s.sink) | median(1))" +
	" | \(map(.guest_throughput_ratio) | median(2)) | \(map(.pinned_bytes.source | if . then . / 1048576 else null end) | median(0))" +
	" | \(map(.pinned_bytes.sink | if . then . / 1048576 else null end) | median(0)) |"),
""
