/*
 * Everything is allowed but what no agent needs and exploits begin with: other namespaces, mounts, the kernel's keys,
 * programs and traces, reading other processes, raw and exotic sockets.  Refused calls fail with EPERM, as they would
 * for want of a capability; those that programs fall back from say ENOSYS.
 *
 * Flags are compared by their bits: the kernel looks at 32 of them where the filter sees 64, so that plain equality
 * could be walked around with a bit set above.
 */
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const int refused[] = {
	/* mounts, also the newer calls */
	SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
	SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd), SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init),
	/* namespaces of others */
	SCMP_SYS(setns),
	/* the kernel's own programs, keys, traces, modules, clocks */
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(acct), SCMP_SYS(syslog),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(stime), SCMP_SYS(lookup_dcookie),
	SCMP_SYS(vhangup), SCMP_SYS(nfsservctl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt),
	/* the insides of other processes */
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp),
};

/* Programs ask once and go on without. */
static const int unknown[] = {
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(clone3), /* its flags lie in memory, where no filter sees them; glibc then takes clone */
};

static int add_list(scmp_filter_ctx f, const int *list, size_t n, int why)
{
	for (size_t i = 0; i < n; i++) {
		int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(why), list[i], 0);
		/* -EDOM, -EFAULT: not a call of this machine's architecture */
		if (rc < 0 && rc != -EDOM && rc != -EFAULT)
			return rc;
	}
	return 0;
}

/* Refuse `call` when the bits `mask` of its argument have the value. */
static int add_masked(scmp_filter_ctx f, int call, unsigned arg, scmp_datum_t mask, scmp_datum_t value)
{
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), call, 1, SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value));

	return rc == -EDOM || rc == -EFAULT ? 0 : rc;
}

static int add_flags(scmp_filter_ctx f)
{
	static const scmp_datum_t spaces[] = { CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
					       CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP };
	static const scmp_datum_t traces[] = { PTRACE_ATTACH, PTRACE_SEIZE };
	static const scmp_datum_t pushes[] = { TIOCSTI, 0x541C /* TIOCLINUX */ };
	const scmp_datum_t word = 0xFFFFFFFF;
	int rc = add_masked(f, SCMP_SYS(unshare), 0, CLONE_NEWTIME, CLONE_NEWTIME);

	for (size_t i = 0; rc == 0 && i < sizeof spaces / sizeof spaces[0]; i++) {
		rc = add_masked(f, SCMP_SYS(clone), 0, spaces[i], spaces[i]);
		if (rc == 0)
			rc = add_masked(f, SCMP_SYS(unshare), 0, spaces[i], spaces[i]);
	}
	/* A debugger may start its program; it may not take over one that runs. */
	for (size_t i = 0; rc == 0 && i < sizeof traces / sizeof traces[0]; i++)
		rc = add_masked(f, SCMP_SYS(ptrace), 0, word, traces[i]);
	for (size_t i = 0; rc == 0 && i < sizeof pushes / sizeof pushes[0]; i++)
		rc = add_masked(f, SCMP_SYS(ioctl), 1, word, pushes[i]);
	static const mode_t devices[] = { S_IFCHR, S_IFBLK };
	for (size_t i = 0; rc == 0 && i < sizeof devices / sizeof devices[0]; i++) {
		rc = add_masked(f, SCMP_SYS(mknod), 1, S_IFMT, devices[i]);
		if (rc == 0)
			rc = add_masked(f, SCMP_SYS(mknodat), 2, S_IFMT, devices[i]);
	}
	return rc;
}

/* Of the families of sockets: unix, IPv4, IPv6, and netlink to ask for addresses and routes. */
static int add_sockets(scmp_filter_ctx f)
{
	const uint32_t no = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	int rc = seccomp_rule_add(f, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNSPEC));

	if (rc == 0)
		rc = seccomp_rule_add(f, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	for (scmp_datum_t family = AF_UNSPEC + 1; rc == 0 && family < AF_NETLINK; family++) {
		if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
			rc = seccomp_rule_add(f, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family));
	}
	if (rc == 0)
		rc = seccomp_rule_add(f, no, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
				      SCMP_A2(SCMP_CMP_NE, 0));
	return rc;
}

enum err seccomp_make(int *fd, struct errinfo *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f != NULL ? 0 : -ENOMEM;

	*fd = -1;
	/* Programs of another architecture (32 bit on amd64) could make the same calls under other numbers. */
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (rc == 0)
		rc = add_list(f, refused, sizeof refused / sizeof refused[0], EPERM);
	if (rc == 0)
		rc = add_list(f, unknown, sizeof unknown / sizeof unknown[0], ENOSYS);
	if (rc == 0)
		rc = add_flags(f);
	if (rc == 0)
		rc = add_sockets(f);
	if (rc == 0 && (*fd = memfd_create("chomp-seccomp", MFD_CLOEXEC)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = seccomp_export_bpf(f, *fd);
	if (rc == 0 && lseek(*fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (f != NULL)
		seccomp_release(f);
	if (rc == 0)
		return ERR_OK;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return err_set(e, ERR_IO, -rc, "the seccomp filter");
}
