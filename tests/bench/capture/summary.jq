# Samples to the result: each value's median, least and most by part and case, in the order
# in which they came.
def spread: sort | {median: .[(length - 1) / 2 | floor], min: first, max: last};

. as $samples |
{
	kernel: $kernel, qemu: $qemu, cpus: $cpus,
	summary: [reduce $samples[] as $s ([]; if any(.[]; .part == $s.part and .case == $s.case)
			then . else . + [$s | {part, case}] end) | .[] |
		. as $c | [$samples[] | select(.part == $c.part and .case == $c.case) | .values] as $all |
		$c + {n: ($all | length), values: ($all[0] | with_entries(.key as $key |
			.value = ([$all[][$key]] | spread)))}],
	samples: $samples
}
