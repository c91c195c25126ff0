/*
 * LD_PRELOAD for user-mode Linux on processors with a large register state.
 *
 * User-mode Linux 6.1 keeps 2696 bytes of extended state a process (x87 to AVX-512 and PKRU) and writes them back with
 * PTRACE_SETREGSET. Where the state is larger (AMX: 10752 bytes on Sapphire Rapids) the host refuses so short a buffer
 * and the guest panics in its first process. This ptrace() widens the write: it marks what the guest does not know as
 * unused, and then what stands in the rest of a full-sized buffer does not matter.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define XFEATURES_OFFSET 512   /* XSTATE_BV, first word of the XSAVE header */
#define XFEATURES_GUEST 0x2ffu /* x87, SSE, AVX, MPX, AVX-512, PKRU: what fits into the guest's 2696 bytes */

/* Not on the stack, which is small there. User-mode Linux is one thread: there is no second caller. */
static unsigned char whole[64 * 1024] __attribute__((aligned(64)));
static size_t whole_size; /* of this processor's state: 0 until the host was asked */

static long set_xstate(pid_t pid, const struct iovec *part)
{
	struct iovec all = { whole, whole_size ? whole_size : sizeof(whole) };
	uint64_t features;

	if (!whole_size) {
		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) < 0)
			return -1;
		whole_size = all.iov_len;
	}
	if (part->iov_len >= whole_size)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, part);
	memcpy(whole, part->iov_base, part->iov_len);
	memcpy(&features, whole + XFEATURES_OFFSET, sizeof(features));
	features &= XFEATURES_GUEST;
	memcpy(whole + XFEATURES_OFFSET, &features, sizeof(features));
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	va_start(args, request);
	pid_t pid = va_arg(args, pid_t);
	void *address = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);

	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
		return set_xstate(pid, data);
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		/* libc's convention: the word is the return value, so errno tells -1 from an error */
		long word;
		if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
			return -1;
		errno = 0;
		return word;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
