/*
 * The cheap end of the terminal's measurements: a pty read loop to compare with, and a WebSocket
 * client that counts and throws away.  A JavaScript client would be slower than what it is to
 * measure.
 *
 *   terminal_client bare-flood BYTES COMMAND…      until BYTES came; a line of JSON: bytes,
 * seconds, cpu of this process terminal_client bare-echo ROUNDS COMMAND…      COMMAND echoes; p50
 * and p99 in microseconds terminal_client flood PORT PATH BYTES          token in $TOKEN; says
 * "open" when the handshake is through terminal_client echo PORT PATH ROUNDS terminal_client hold
 * PORT PATH…                open them all, say "open" and their number; until stdin ends
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
	READ = 64 * 1024,
	ROUNDS_MAX = 100000,
	BURST = 1500,
	REST_MS = 1100 /* the relay lets 2000 messages a second through */
};

static void die(const char *what)
{
	(void)fprintf(stderr, "terminal_client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* ---- figures ---- */
static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void tell_latencies(double *s, int n)
{
	qsort(s, (size_t)n, sizeof *s, by_size);
	printf("{\"p50\":%.1f,\"p99\":%.1f,\"rounds\":%d}\n", s[n / 2] * 1e6, s[n * 99 / 100] * 1e6,
	       n);
}

static void tell_flood(int64_t bytes, double seconds)
{
	printf("{\"bytes\":%lld,\"seconds\":%.4f,\"cpu\":%.4f}\n", (long long)bytes, seconds,
	       cpu());
}

/* ---- the bare pty ---- */
static int start(char **command, pid_t *child)
{
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	int master;

	*child = forkpty(&master, NULL, NULL, &size);
	if (*child < 0)
		die("forkpty");
	if (*child == 0) {
		execvp(command[0], command);
		die(command[0]);
	}
	return master;
}

static void bare_flood(int64_t want, char **command)
{
	static char buf[READ];
	int64_t got = 0;
	double from = 0;
	pid_t child;
	int master = start(command, &child);

	while (got < want) {
		ssize_t n = read(master, buf, sizeof buf);
		if (n <= 0)
			die("the flood ended early");
		if (got == 0)
			from = now();
		got += n;
	}
	tell_flood(got, now() - from);
	kill(child, SIGKILL);
}

static void rest(int round)
{
	if (round % BURST == BURST - 1)
		(void)poll(NULL, 0, REST_MS);
}

static void bare_echo(int rounds, char **command)
{
	static double took[ROUNDS_MAX];
	char c;
	pid_t child;
	int master = start(command, &child);

	if (read(master, &c, 1) != 1) /* the command says that it is ready */
		die("not ready");
	for (int i = 0; i < rounds; i++) {
		double from = now();
		if (write(master, "x", 1) != 1 || read(master, &c, 1) != 1)
			die("echo");
		took[i] = now() - from;
		rest(i);
	}
	tell_latencies(took, rounds);
	kill(child, SIGKILL);
}

/* ---- a WebSocket ---- */
struct ws {
	int fd;
	unsigned char buf[4 * READ];
	size_t at, len;    /* what of buf has not been looked at */
	uint64_t left;     /* of the present frame's payload */
	bool binary, text; /* kind of the present message */
};

static void ws_open(struct ws *w, int port, const char *path)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;
	size_t n = 0;

	memset(w, 0, sizeof *w);
	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	(void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	dprintf(w->fd,
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: "
		"Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
		"AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer %s\r\n\r\n",
		path, port, getenv("TOKEN"));
	/* Byte by byte: what follows the head is the first frame. */
	while (n < 4 || memcmp(w->buf + n - 4, "\r\n\r\n", 4) != 0) {
		if (n == sizeof w->buf || read(w->fd, w->buf + n, 1) != 1)
			die("no answer to the handshake");
		n++;
	}
	if (memcmp(w->buf, "HTTP/1.1 101", 12) != 0) {
		(void)fprintf(stderr, "terminal_client: %.*s\n", 60, (char *)w->buf);
		exit(1);
	}
}

static void ws_send(struct ws *w, const char *p, size_t len)
{
	unsigned char frame[6 + 125] = { 0x82, (unsigned char)(0x80 | len) }; /* the mask is 0 */

	memcpy(frame + 6, p, len);
	if (write(w->fd, frame, 6 + len) != (ssize_t)(6 + len))
		die("send");
}

static void pong(struct ws *w, const unsigned char *p, size_t len)
{
	unsigned char frame[6 + 125] = { 0x8A, (unsigned char)(0x80 | len) };

	memcpy(frame + 6, p, len);
	if (write(w->fd, frame, 6 + len) < 0)
		die("pong");
}

/* A frame's head out of the buffer; false when it is not there yet. */
static bool frame_head(struct ws *w)
{
	const unsigned char *p = w->buf + w->at;
	size_t have = w->len - w->at, head = 2;

	if (have < 2)
		return false;
	uint64_t len = p[1] & 0x7F;
	int wide = len == 126 ? 2 : len == 127 ? 8 : 0;
	head += (size_t)wide;
	if (have < head)
		return false;
	if (wide > 0)
		len = 0;
	for (int i = 0; i < wide; i++)
		len = len << 8 | p[2 + i];
	int op = p[0] & 15;
	if (op >= 8) {
		if (have < head + len)
			return false;
		if (op == 8)
			exit(3);
		if (op == 9)
			pong(w, p + head, len);
		w->at += head + len;
		return true;
	}
	if (op != 0) {
		w->binary = op == 2;
		w->text = op == 1;
	}
	w->left = len;
	w->at += head;
	return true;
}

/* Binary bytes in what has been read, which is used up. */
static int64_t count(struct ws *w)
{
	int64_t got = 0;

	for (;;) {
		if (w->left == 0) {
			if (!frame_head(w))
				break;
			continue;
		}
		size_t have = w->len - w->at, n = w->left < have ? (size_t)w->left : have;
		if (n == 0)
			break;
		if (w->binary)
			got += (int64_t)n;
		w->at += n;
		w->left -= n;
	}
	memmove(w->buf, w->buf + w->at, w->len - w->at);
	w->len -= w->at;
	w->at = 0;
	return got;
}

static int64_t ws_read(struct ws *w)
{
	ssize_t n = read(w->fd, w->buf + w->len, sizeof w->buf - w->len);

	if (n <= 0)
		die("read");
	w->len += (size_t)n;
	return count(w);
}

static void flood(int port, const char *path, int64_t want)
{
	static struct ws w;
	int64_t got = 0;
	double from = 0;

	ws_open(&w, port, path);
	printf("open\n");
	(void)fflush(stdout);
	while (got < want) {
		int64_t n = ws_read(&w);
		if (got == 0 && n > 0)
			from = now();
		got += n;
	}
	tell_flood(got, now() - from);
}

static void echo(int port, const char *path, int rounds)
{
	static double took[ROUNDS_MAX];
	static struct ws w;
	struct pollfd p;

	ws_open(&w, port, path);
	p = (struct pollfd){ .fd = w.fd, .events = POLLIN };
	while (poll(&p, 1, 500) > 0) /* scrollback and state */
		(void)ws_read(&w);
	for (int i = 0; i < rounds; i++) {
		double from = now();
		ws_send(&w, "x", 1);
		while (ws_read(&w) == 0) {
		}
		took[i] = now() - from;
		rest(i);
	}
	tell_latencies(took, rounds);
}

static void hold(int port, char **paths, int n)
{
	static struct ws w;
	char drop[4096];
	struct pollfd *p = calloc((size_t)n + 1, sizeof *p);

	if (p == NULL)
		die("calloc");
	for (int i = 0; i < n; i++) {
		ws_open(&w, port, paths[i]);
		p[i] = (struct pollfd){ .fd = w.fd, .events = POLLIN };
	}
	p[n] = (struct pollfd){ .events = POLLIN };
	printf("open %d\n", n);
	(void)fflush(stdout);
	while (poll(p, (nfds_t)n + 1, -1) > 0 && p[n].revents == 0) {
		for (int i = 0; i < n; i++) {
			if (p[i].revents != 0 && read(p[i].fd, drop, sizeof drop) <= 0)
				die("a held connection ended");
		}
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (strcmp(what, "bare-flood") == 0)
		bare_flood(atoll(argv[2]), argv + 3);
	else if (strcmp(what, "bare-echo") == 0)
		bare_echo((int)strtol(argv[2], NULL, 10), argv + 3);
	else if (strcmp(what, "flood") == 0 && argc == 5)
		flood((int)strtol(argv[2], NULL, 10), argv[3], atoll(argv[4]));
	else if (strcmp(what, "echo") == 0 && argc == 5)
		echo((int)strtol(argv[2], NULL, 10), argv[3], (int)strtol(argv[4], NULL, 10));
	else if (strcmp(what, "hold") == 0)
		hold((int)strtol(argv[2], NULL, 10), argv + 3, argc - 3);
	else
		return 2;
	return 0;
}
