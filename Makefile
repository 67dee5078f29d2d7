# SPDX-License-Identifier: GPL-2.0-only
# make help tells the targets.
VERSION := $(shell cat VERSION)
KVER ?= $(shell ls /lib/modules 2>/dev/null | grep -E '^6\.1\.' | sort -V | tail -n 1)
KDIR ?= /lib/modules/$(KVER)/build
B := $(CURDIR)/build
KB := $(B)/kmod/$(KVER)

.PHONY: help deps all modules userspace install check check-debug check-matrix check-qemu-patch check-qtest demo bench bench-link bench-capture clean

help:
	@echo 'make deps       install what is missing to build and test (Debian, root)'
	@echo 'make all        module for KVER (or KDIR), daemon and command'
	@echo 'make modules    the module: build/kmod/KVER/vmfastmig.ko'
	@echo 'make userspace  vmfastmigd and vmfastmig: build/userspace/'
	@echo 'make check      all tests (SUITES="static unit kernel migrate")'
	@echo 'make check-debug the in-host tests and failing allocations on a debug kernel'
	@echo 'make check-matrix scenarios on 6.1 and 6.12 with QEMU 7.2 and 10.0, and across (ONLY=REGEX)'
	@echo 'make check-qemu-patch migrations by a QEMU with the patches of userspace/qemu: SERIES="7.2 10.0"'
	@echo 'make check-qtest QEMU'\''s own tests through vmfastmig monitor: SERIES="7.2 10.0"'
	@echo 'make install    daemon, command, man pages, unit: PREFIX, DESTDIR (module: DKMS)'
	@echo 'make bench      QEMU'\''s migrations and ours, in turn: QUICK=1, N=5, KINDS, WORKLOADS, JSON=path'
	@echo 'make bench-link what a migration costs on the rig: N=3, JSON=path'
	@echo 'make bench-capture what RAM on vmfastmig costs a guest: QUICK=1, N=5, PARTS, JSON=path'
	@echo 'make demo       two emulated hosts, a guest, a migration there and back'

deps:
	@tests/rig/deps.sh

all: modules userspace

# The kernel's build writes beside its sources: it gets a copy of them.
modules:
	@mkdir -p $(KB)
	@cp -ruT kmod $(KB)/kmod && cp -ruT rdma $(KB)/rdma && cp -u Kbuild $(KB)/
	$(MAKE) -C $(KDIR) M=$(KB) VMFM_VERSION=$(VERSION) modules

userspace:
	$(MAKE) -C userspace O=$(B)/userspace all

install:
	$(MAKE) -C userspace O=$(B)/userspace install

check: deps
	@KVER=$(KVER) tests/run $(SUITES)

check-debug: deps
	@KVER=$(KVER) tests/run debug

check-matrix: deps
	@KVER=$(KVER) tests/run matrix

check-qemu-patch: deps
	@KVER=$(KVER) SERIES="$(SERIES)" tests/run qemu-patch

check-qtest: deps
	@SERIES="$(SERIES)" tests/run qtest

demo: deps
	@KVER=$(KVER) tests/demo

bench: deps
	@KVER=$(KVER) tests/bench/run

bench-link: deps
	@KVER=$(KVER) tests/bench-link

bench-capture: deps
	@KVER=$(KVER) tests/bench/capture/run

clean:
	rm -rf $(B)
