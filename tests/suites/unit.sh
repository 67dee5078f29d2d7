# shellcheck shell=bash
# User-space units, with the sanitizers. Sourced by tests/run.
if check unit-build 600 make -C userspace O="$top/build/userspace" test; then
	tap unit "$out/unit-build.log"
fi
