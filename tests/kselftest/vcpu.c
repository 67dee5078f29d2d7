// SPDX-License-Identifier: GPL-2.0-only
/* Protected mode, flat segments, no paging: the area begins at 1 GiB. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "page.h"
#include "vcpu.h"

#define CODE_AT		0x1000UL
#define CODE_BYTES	0x1000UL
#define WORK_AT		0x1ff8UL	/* as in the code */
#define AREA_AT		0x40000000UL
#define TSS_AT		0xfffbd000UL	/* three pages that Intel's wants */

/*
 * eax: random, ebx: generation, esi: pages - 1, ebp: the area. Some words of each page
 * are written, far from each other. At the end of its page stands its work.
 */
asm(".pushsection .rodata\n"
    ".code32\n"
    "vcpu_code:\n"
    "1:	mov	0x1ff8, %ecx\n"
    "2:	mov	%eax, %edx\n"
    "	shl	$13, %edx\n"
    "	xor	%edx, %eax\n"
    "	mov	%eax, %edx\n"
    "	shr	$17, %edx\n"
    "	xor	%edx, %eax\n"
    "	mov	%eax, %edx\n"
    "	shl	$5, %edx\n"
    "	xor	%edx, %eax\n"
    "	mov	%eax, %edi\n"
    "	and	%esi, %edi\n"
    "	shl	$12, %edi\n"
    "	add	%ebp, %edi\n"
    "	inc	%ebx\n"
    "	mov	%ebx, (%edi)\n"
    "	mov	%eax, 1028(%edi)\n"
    "	mov	%ebx, 2044(%edi)\n"
    "	mov	%eax, 4088(%edi)\n"
    "	mov	0x1ffc, %edx\n"
    "	inc	%edx\n"
    "3:	dec	%edx\n"
    "	jnz	3b\n"
    "	dec	%ecx\n"
    "	jnz	2b\n"
    "	hlt\n"
    "	jmp	1b\n"
    "vcpu_code_end:\n"
    ".code64\n"
    ".popsection\n");
extern const char vcpu_code[], vcpu_code_end[];
_Static_assert(WORK_AT + sizeof(struct vcpu_work) == CODE_AT + CODE_BYTES, "at the end");

size_t vcpu_next(struct vcpu_write *last, size_t pages)
{
	last->count++;
	return roll(&last->random) & (pages - 1);
}

void vcpu_stamp(char *page, const struct vcpu_write *write)
{
	memcpy(page, &write->count, 4);
	memcpy(page + 1028, &write->random, 4);
	memcpy(page + 2044, &write->count, 4);
	memcpy(page + 4088, &write->random, 4);
}

static int add_memory(struct vcpu *vcpu, uint32_t slot, uint64_t at, char *memory, size_t bytes)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = at, .memory_size = bytes,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(vcpu->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int set_registers(struct vcpu *vcpu, size_t bytes, uint32_t seed)
{
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1,
				    .db = 1, .s = 1, .g = 1 };
	struct kvm_regs regs = { .rip = CODE_AT, .rflags = 2, .rax = seed, .rsi = bytes / PAGE - 1,
				 .rbp = AREA_AT };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->cpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cs = data;
	sregs.cs.selector = 8;
	sregs.cs.type = 11;
	sregs.cr0 |= 1;
	return ioctl(vcpu->cpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu->cpu, KVM_SET_REGS, &regs);
}

static int make(struct vcpu *vcpu, char *area, size_t bytes, uint32_t seed,
		const struct vcpu_work *work)
{
	vcpu->why = "/dev/kvm";
	vcpu->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vcpu->kvm < 0)
		return -1;
	vcpu->why = "a virtual machine";
	vcpu->vm = ioctl(vcpu->kvm, KVM_CREATE_VM, 0);
	vcpu->code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	if (vcpu->vm < 0 || vcpu->code == MAP_FAILED)
		return -1;
	ioctl(vcpu->vm, KVM_SET_TSS_ADDR, TSS_AT);
	memcpy(vcpu->code, vcpu_code, vcpu_code_end - vcpu_code);
	memcpy(vcpu->code + WORK_AT - CODE_AT, work, sizeof(*work));
	vcpu->why = "its memory";
	if (add_memory(vcpu, 0, CODE_AT, vcpu->code, CODE_BYTES) ||
	    add_memory(vcpu, 1, AREA_AT, area, bytes))
		return -1;
	vcpu->why = "its vCPU";
	vcpu->cpu = ioctl(vcpu->vm, KVM_CREATE_VCPU, 0);
	vcpu->run_bytes = ioctl(vcpu->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu->cpu < 0)
		return -1;
	vcpu->run = mmap(NULL, vcpu->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->cpu, 0);
	return vcpu->run == MAP_FAILED ? -1 : set_registers(vcpu, bytes, seed);
}

int vcpu_open(struct vcpu *vcpu, char *area, size_t bytes, uint32_t seed,
	      const struct vcpu_work *work)
{
	int err;

	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->kvm = vcpu->vm = vcpu->cpu = -1;
	vcpu->run = MAP_FAILED;
	vcpu->code = MAP_FAILED;
	if (!make(vcpu, area, bytes, seed, work))
		return 0;
	err = -errno;
	vcpu_close(vcpu);
	return err;
}

int vcpu_write(struct vcpu *vcpu)
{
	int err;

	do {
		err = ioctl(vcpu->cpu, KVM_RUN, 0);
	} while (err && (errno == EINTR || errno == EAGAIN));
	return err || vcpu->run->exit_reason != KVM_EXIT_HLT ? -1 : 0;
}

void vcpu_close(struct vcpu *vcpu)
{
	if (vcpu->run != MAP_FAILED)
		munmap(vcpu->run, vcpu->run_bytes);
	if (vcpu->code != MAP_FAILED)
		munmap(vcpu->code, CODE_BYTES);
	if (vcpu->cpu >= 0)
		close(vcpu->cpu);
	if (vcpu->vm >= 0)
		close(vcpu->vm);
	if (vcpu->kvm >= 0)
		close(vcpu->kvm);
}
