#include "sandbox/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hostport.h"
#include "sandbox/forward.h"

enum {
	WAIT_MS = 5000, /* for each other; slirp4netns takes some 20 ms */
	OWN_MAX = 64,   /* addresses of this machine */
	ALIAS_MAX = 9999,
};

/* Whatever lies there is not the internet: RFC 6890, and the metadata services of clouds (169.254/16, 100.100/16, Azure's). */
static const struct range {
	const char *net;
	int bits;
} not_public[] = {
	{ "10.0.0.0", 8 },   { "100.64.0.0", 10 }, { "127.0.0.0", 8 },  { "168.63.129.16", 32 }, { "169.254.0.0", 16 },
	{ "172.16.0.0", 12 }, { "192.0.0.0", 24 },  { "192.168.0.0", 16 }, { "198.18.0.0", 15 },	   { "224.0.0.0", 4 },
	{ "240.0.0.0", 4 },
};

static bool resolve(const char *s, struct sockaddr_in *to)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found = NULL;
	char host[HOSTPORT_MAX];
	int64_t port;

	if (!hostport_split(s, host, &port) || getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	memcpy(to, found->ai_addr, sizeof *to);
	to->sin_port = htons((uint16_t)port);
	freeaddrinfo(found);
	return true;
}

static bool in_range(struct in_addr address, const char *net, int bits)
{
	struct in_addr base;

	return inet_pton(AF_INET, net, &base) == 1 &&
	       (ntohl(address.s_addr) ^ ntohl(base.s_addr)) >> (32 - bits) == 0;
}

/* Reached through slirp4netns: neither private nor this machine's own. */
static bool is_public(struct in_addr address, const struct in_addr *own, size_t own_len)
{
	for (size_t i = 0; i < sizeof not_public / sizeof not_public[0]; i++) {
		if (in_range(address, not_public[i].net, not_public[i].bits))
			return false;
	}
	for (size_t i = 0; i < own_len; i++) {
		if (own[i].s_addr == address.s_addr)
			return false;
	}
	return true;
}

/* ---- namespaces ---- */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	int rc = write_all(fd, text, strlen(text)), why = errno;
	close(fd);
	errno = why;
	return rc;
}

static int own_namespaces(int flags)
{
	unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();
	char map[64];

	if (unshare(flags) < 0)
		return -1;
	(void)snprintf(map, sizeof map, "%u %u 1", uid, uid);
	if (put("/proc/self/setgroups", "deny") < 0 || put("/proc/self/uid_map", map) < 0)
		return -1;
	(void)snprintf(map, sizeof map, "%u %u 1", gid, gid);
	return put("/proc/self/gid_map", map);
}

/* ---- devices, addresses, routes ---- */
static int loopback_up(int s)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	return ioctl(s, SIOCSIFFLAGS, &r);
}

/* One more address of loopback, under a label of its own. */
static int loopback_add(int s, struct in_addr address, size_t number)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = address };
	struct ifreq r = { 0 };

	if ((ntohl(address.s_addr) >> 24) == 127)
		return 0; /* is there */
	(void)snprintf(r.ifr_name, sizeof r.ifr_name, "lo:%zu", number % ALIAS_MAX);
	memcpy(&r.ifr_addr, &at, sizeof at);
	if (ioctl(s, SIOCSIFADDR, &r) < 0)
		return -1;
	at.sin_addr.s_addr = INADDR_NONE;
	memcpy(&r.ifr_netmask, &at, sizeof at);
	return ioctl(s, SIOCSIFNETMASK, &r);
}

static int unreachable(int s, struct in_addr net, int bits)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = net };
	struct sockaddr_in mask = { .sin_family = AF_INET };
	struct rtentry r = { .rt_flags = RTF_UP | RTF_REJECT };

	mask.sin_addr.s_addr = htonl(bits == 0 ? 0 : 0xFFFFFFFFU << (32 - bits));
	if (bits == 32)
		r.rt_flags |= RTF_HOST;
	memcpy(&r.rt_dst, &to, sizeof to);
	memcpy(&r.rt_genmask, &mask, sizeof mask);
	return ioctl(s, SIOCADDRT, &r) < 0 && errno != EEXIST ? -1 : 0;
}

/* The addresses of this machine: some are public, and its services answer there too. */
static size_t own_addresses(struct in_addr own[static OWN_MAX])
{
	struct ifaddrs *list = NULL;
	size_t n = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (const struct ifaddrs *i = list; i != NULL && n < OWN_MAX; i = i->ifa_next) {
		struct sockaddr_in at;
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&at, i->ifa_addr, sizeof at);
		own[n++] = at.sin_addr;
	}
	freeifaddrs(list);
	return n;
}

static int close_routes(int s, const struct in_addr *own, size_t own_len)
{
	struct in_addr net;

	for (size_t i = 0; i < sizeof not_public / sizeof not_public[0]; i++) {
		if (inet_pton(AF_INET, not_public[i].net, &net) != 1 || unreachable(s, net, not_public[i].bits) < 0)
			return -1;
	}
	for (size_t i = 0; i < own_len; i++) {
		if (unreachable(s, own[i], 32) < 0)
			return -1;
	}
	return 0;
}

static int listen_at(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 && listen(fd, 64) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

/* ---- the child's side ---- */
static void tell(int terminal, const char *what, const char *why)
{
	char line[400];
	int len = snprintf(line, sizeof line, "[chomp: %.200s: %.150s]\r\n", what, why);

	(void)write_all(terminal, line, (size_t)len);
}

/* The addresses of what listens, and its sockets, in one message: the other end needs both. */
struct hello {
	size_t n;
	struct sockaddr_in to[NETWORK_ALLOW_MAX];
	int fd[NETWORK_ALLOW_MAX];
};

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * NETWORK_ALLOW_MAX)];
};

static int send_hello(int sync, struct hello *h)
{
	union control control = { 0 };
	struct iovec io = { .iov_base = h->to, .iov_len = h->n > 0 ? h->n * sizeof h->to[0] : 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	if (h->n > 0) {
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * h->n);
		struct cmsghdr *c = &control.align;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * h->n);
		memcpy(CMSG_DATA(c), h->fd, sizeof(int) * h->n);
	}
	return sendmsg(sync, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static bool in_time(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS) > 0;
}

static void open_allowed(int s, struct hello *h, int terminal)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++) {
		int fd = loopback_add(s, h->to[i].sin_addr, i) < 0 ? -1 : listen_at(&h->to[i]);
		if (fd < 0 && errno != EADDRINUSE) /* the same one twice is no harm */
			tell(terminal, "an allowed address cannot be opened", strerror(errno));
		if (fd < 0)
			continue;
		h->to[kept] = h->to[i];
		h->fd[kept++] = fd;
	}
	h->n = kept;
}

/* While names can still be asked for as this machine does. */
static void find_allowed(const struct network_conf *c, const struct in_addr *own, size_t own_len, struct hello *h,
			 int terminal)
{
	for (size_t i = 0; i < c->allow_len && !c->host; i++) {
		struct sockaddr_in to;
		if (!resolve(c->allow[i], &to))
			tell(terminal, "allowed, but its name is not known", c->allow[i]);
		else if (in_range(to.sin_addr, "169.254.0.0", 16)) /* who names a repository does not mean those */
			tell(terminal, "not opened: link-local and metadata addresses never are", c->allow[i]);
		else if (!c->internet || !is_public(to.sin_addr, own, own_len))
			h->to[h->n++] = to;
	}
}

int network_enter(const struct network_conf *c, int sync, int terminal, const char **step)
{
	struct hello h = { 0 };
	struct in_addr own[OWN_MAX];
	char said[256];
	size_t own_len = own_addresses(own);

	find_allowed(c, own, own_len, &h, terminal);
	*step = "namespaces";
	if (own_namespaces(CLONE_NEWUSER | (c->host ? 0 : CLONE_NEWNET)) < 0)
		return -1;
	if (!c->host) {
		*step = "network";
		int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (s < 0 || loopback_up(s) < 0)
			return -1;
		open_allowed(s, &h, terminal);
		/* Only what comes later, the tap: ::1 stays. Without IPv6 in the kernel there is nothing to turn off. */
		(void)put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
		if (close_routes(s, own, own_len) < 0)
			return -1;
		close(s);
	}
	*step = "hand over";
	if (send_hello(sync, &h) < 0)
		return -1;
	for (size_t i = 0; i < h.n; i++)
		close(h.fd[i]);
	ssize_t n = in_time(sync) ? recv(sync, said, sizeof said - 1, 0) : -1;
	if (n <= 0)
		return -1;
	said[n] = '\0';
	if (said[0] != '+')
		tell(terminal, "no network in this box", said);
	return 0;
}

/* ---- the shim's side ---- */
static bool receive_hello(int sync, struct hello *h)
{
	union control control = { 0 };
	struct iovec io = { .iov_base = h->to, .iov_len = sizeof h->to };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control.space,
			    .msg_controllen = sizeof control.space };

	h->n = 0;
	if (!in_time(sync) || recvmsg(sync, &m, MSG_CMSG_CLOEXEC) <= 0)
		return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS) {
		h->n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(h->fd, CMSG_DATA(c), h->n * sizeof(int));
	}
	return true;
}

static pid_t start_forwarder(const struct hello *h)
{
	pid_t us = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == us)
		forward_run(h->fd, h->to, h->n);
	_exit(1);
}

enum { SLIRP_READY = 3, SLIRP_LEASH = 4 };

static _Noreturn void become_slirp(const char *path, pid_t child, int ready, int leash)
{
	char user[64], net[64];
	char *env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(user, sizeof user, "--userns-path=/proc/%d/ns/user", (int)child);
	(void)snprintf(net, sizeof net, "/proc/%d/ns/net", (int)child);
	/* Above the places they go to: neither overwrites the other. */
	ready = fcntl(ready, F_DUPFD_CLOEXEC, 16);
	leash = fcntl(leash, F_DUPFD_CLOEXEC, 16);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(ready, SLIRP_READY) < 0 ||
	    dup2(leash, SLIRP_LEASH) < 0)
		_exit(1);
	closefrom(SLIRP_LEASH + 1);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	char *argv[] = { (char[]){ "slirp4netns" },
			 (char[]){ "--configure" },
			 (char[]){ "--mtu=65520" },
			 (char[]){ "--disable-host-loopback" },
			 (char[]){ "--enable-seccomp" },
			 (char[]){ "--ready-fd=3" },
			 (char[]){ "--exit-fd=4" },
			 (char[]){ "--netns-type=path" },
			 user,
			 net,
			 (char[]){ "tap0" },
			 NULL };
	execve(path, argv, env);
	_exit(127);
}

const char *network_missing(const char *slirp)
{
	if (slirp == NULL)
		return "slirp4netns is not installed on the sandbox host: apt install slirp4netns";
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return errno == ENOENT ? "the sandbox host has no /dev/net/tun (in a container: --device /dev/net/tun)"
				       : "the sandbox host's user may not open /dev/net/tun: chmod 0666 /dev/net/tun";
	return NULL;
}

/* NULL, or why there is none. */
static const char *start_slirp(struct network *n, const char *path, pid_t child)
{
	int ready[2] = { -1, -1 }, leash[2] = { -1, -1 };
	const char *why = network_missing(path);
	char byte;

	if (why != NULL)
		return why;
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(leash, O_CLOEXEC) < 0)
		return "out of descriptors";
	n->slirp = fork();
	if (n->slirp == 0)
		become_slirp(path, child, ready[1], leash[0]);
	close(ready[1]);
	close(leash[0]);
	n->leash = leash[1];
	bool ok = n->slirp > 0 && in_time(ready[0]) && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return ok ? NULL : "slirp4netns did not start";
}

void network_serve(struct network *n, const struct network_conf *c, pid_t child, int sync)
{
	struct hello h;
	const char *why = NULL;

	*n = (struct network){ .leash = -1 };
	if (!receive_hello(sync, &h))
		return; /* the child has ended, or it gives up too */
	if (h.n > 0) {
		n->forwarder = start_forwarder(&h);
		for (size_t i = 0; i < h.n; i++)
			close(h.fd[i]);
	}
	if (c->internet)
		why = start_slirp(n, c->slirp, child);
	if (why == NULL)
		why = "+";
	(void)send(sync, why, strlen(why), MSG_NOSIGNAL);
}

static void end_one(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
	}
}

void network_end(struct network *n)
{
	end_one(n->slirp);
	end_one(n->forwarder);
	if (n->leash >= 0)
		close(n->leash);
	*n = (struct network){ .leash = -1 };
}
