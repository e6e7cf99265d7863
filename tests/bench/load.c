/*
 * load PORT CONNECTIONS MILLISECONDS METHOD PATH [HEADER …] [@BODY]: so many connections, each sending the next request
 * when its answer is there, for so long.  Prints one line of JSON: requests, requests a second, latencies in microseconds,
 * and how many answers had which status.  In a POST's body %d becomes a number that does not come again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, REQUEST_MAX = 8192, ANSWER_MAX = 4 << 20, SAMPLES = 1 << 22 };

struct connection {
	int fd;
	int64_t sent; /* ns */
	char *answer;
	size_t got, want; /* want: of the whole answer, 0: not known yet */
};

static struct connection all[CONNECTIONS_MAX];
static uint32_t *samples; /* µs */
static size_t sample_count;
static long statuses[600];
static char head[REQUEST_MAX / 2];
static const char *method, *path, *body;
static int port;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void dial(struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void send_request(struct connection *c)
{
	static long number;
	char request[REQUEST_MAX], text[REQUEST_MAX / 2] = "";
	const char *mark = body != NULL ? strstr(body, "%d") : NULL;
	int n = 0, m;

	if (body != NULL && mark != NULL)
		n = snprintf(text, sizeof text, "%.*s%ld-%d%s", (int)(mark - body) & 0x3ff, body, ++number, (int)getpid(), mark + 2);
	else if (body != NULL)
		n = snprintf(text, sizeof text, "%s", body);
	m = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Length: %d\r\n\r\n%s", method, path,
		     port, head, n, text);
	c->sent = now_ns();
	c->got = c->want = 0;
	if (write(c->fd, request, (size_t)m) != m)
		die("write");
}

static void know_length(struct connection *c)
{
	const char *end, *p;

	c->answer[c->got] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	if (end == NULL)
		return;
	c->want = (size_t)(end - c->answer) + 4;
	p = strcasestr(c->answer, "\r\nContent-Length:");
	if (p != NULL && p < end)
		c->want += (size_t)strtoul(p + 17, NULL, 10);
	if (c->want > ANSWER_MAX) {
		fprintf(stderr, "an answer of %zu bytes\n", c->want);
		exit(1);
	}
}

/* true: the answer is whole. */
static bool receive(struct connection *c)
{
	ssize_t n = read(c->fd, c->answer + c->got, ANSWER_MAX - c->got);

	if (n <= 0)
		die("read");
	c->got += (size_t)n;
	if (c->want == 0)
		know_length(c);
	if (c->want == 0 || c->got < c->want)
		return false;
	int status = atoi(c->answer + 9);
	statuses[status > 0 && status < 600 ? status : 0]++;
	if (sample_count < SAMPLES)
		samples[sample_count++] = (uint32_t)((now_ns() - c->sent) / 1000);
	char *end = strstr(c->answer, "\r\n\r\n"), *close_it = strcasestr(c->answer, "\r\nConnection: close");
	if (close_it != NULL && close_it < end) {
		close(c->fd);
		dial(c);
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct pollfd fds[CONNECTIONS_MAX];
	size_t used = 0;

	if (argc < 6)
		return 2;
	port = atoi(argv[1]);
	int count = atoi(argv[2]), ms = atoi(argv[3]);
	if (count < 1 || count > CONNECTIONS_MAX)
		return 2;
	method = argv[4];
	path = argv[5];
	for (int i = 6; i < argc; i++) {
		if (argv[i][0] == '@')
			body = argv[i] + 1;
		else
			used += (size_t)snprintf(head + used, sizeof head - used, "%s\r\n", argv[i]);
	}
	samples = malloc(SAMPLES * sizeof *samples);
	int64_t began = now_ns(), until = began + ms * INT64_C(1000000);
	for (int i = 0; i < count; i++) {
		all[i].answer = malloc(ANSWER_MAX + 1);
		dial(&all[i]);
		send_request(&all[i]);
		fds[i] = (struct pollfd){ .fd = all[i].fd, .events = POLLIN };
	}
	for (int open_answers = count; open_answers > 0;) {
		if (poll(fds, (nfds_t)count, 10000) <= 0)
			die("poll: no answer for ten seconds");
		for (int i = 0; i < count; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0 || !receive(&all[i]))
				continue;
			fds[i].fd = all[i].fd;
			if (now_ns() < until) {
				send_request(&all[i]);
			} else {
				fds[i].fd = -1;
				open_answers--;
			}
		}
	}
	double seconds = (double)(now_ns() - began) / 1e9;
	qsort(samples, sample_count, sizeof *samples, by_value);
	printf("{\"requests\":%zu,\"rps\":%.1f,\"p50\":%u,\"p99\":%u,\"max\":%u,\"status\":{", sample_count, (double)sample_count / seconds,
	       samples[sample_count / 2], samples[sample_count * 99 / 100], samples[sample_count - 1]);
	for (int i = 0, first = 1; i < 600; i++) {
		if (statuses[i] > 0) {
			printf("%s\"%d\":%ld", first ? "" : ",", i, statuses[i]);
			first = 0;
		}
	}
	printf("}}\n");
	return 0;
}
