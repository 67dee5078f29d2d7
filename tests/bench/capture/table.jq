# The result to tables in Markdown, one for each part: median (least-most).
def cell: if .min == .max then "\(.median)" else "\(.median) (\(.min)-\(.max))" end;

"Kernel \(.kernel), QEMU \(.qemu), a host with \(.cpus) CPUs.", "",
(.summary | reduce .[] as $s ({}; .[$s.part] += [$s]) | to_entries[] |
	"## \(.key)", "",
	"| | \(.value[0].values | keys_unsorted | join(" | ")) | n |",
	"|---|\(.value[0].values | map("---|") | add)---|",
	(.value[] | "| \(.case) | \([.values[] | cell] | join(" | ")) | \(.n) |"),
	"")
