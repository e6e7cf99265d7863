/* httpc against a small server of its own, on a unix socket: one process that answers each path in
 * its own way. */
#include "dispatch/httpc.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "core/strbuf.h"
#include "dispatch/host.h"
#include "unit.h"

enum { HANG_LIMIT_MS = 300, LONG = 3 << 20 };
#define SECRET_ONE "the-first-secret-0123456789"
#define SECRET_TWO "the-other-secret-0123456789"

static struct {
	char dir[32], socket[64], secret[64];
	pid_t server;
	struct access access;
	struct httpc *h;
	size_t done;
	int status, last_status;
	char why[160], answer[4096];
	int64_t retry_after_ms, log_start, log_end;
	size_t taken, take_max;
} t;

/* ---- the server ---- */
static void say(int fd, const char *head, const char *body)
{
	char text[8192];
	int n = snprintf(text, sizeof text,
			 "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", head,
			 strlen(body), body);

	(void)write_all(fd, text, (size_t)n);
}

static void say_long(int fd)
{
	char piece[4096];
	char head[200];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nx-log-start: 10\r\nX-LOG-END:  "
			 "%d\r\n\r\n",
			 LONG, 10 + LONG);

	memset(piece, 'x', sizeof piece);
	(void)write_all(fd, head, (size_t)n);
	for (int i = 0; i < LONG / (int)sizeof piece; i++) {
		if (write_all(fd, piece, sizeof piece) < 0)
			return;
	}
}

static void serve_path(int fd, const char *path, const char *request)
{
	if (strstr(path, "hang") != NULL)
		(void)poll(NULL, 0, 60000);
	else if (strstr(path, "drop") != NULL)
		return;
	else if (strstr(path, "long") != NULL)
		say_long(fd);
	else if (strstr(path, "redirect") != NULL)
		say(fd, "302 Found\r\nLocation: /status/echo", "");
	else if (strstr(path, "later") != NULL)
		say(fd, "503 Service Unavailable\r\nRetry-After: 7", "{}");
	else if (strstr(path, "two") != NULL && strstr(request, SECRET_TWO) == NULL)
		say(fd, "401 Unauthorized", "{}");
	else
		say(fd, "200 OK", request);
}

static void serve_one(int fd)
{
	static char request[64 * 1024 + 1];
	size_t len = 0, want = SIZE_MAX;
	ssize_t n;

	while (len < want && (n = read(fd, request + len, sizeof request - 1 - len)) > 0) {
		len += (size_t)n;
		request[len] = '\0';
		char *end = strstr(request, "\r\n\r\n"), *cl = strstr(request, "Content-Length: ");
		if (end != NULL)
			want = (size_t)(end + 4 - request) +
			       (cl != NULL ? strtoul(cl + 16, NULL, 10) : 0);
	}
	request[len < 4000 ? len : 4000] = '\0';
	serve_path(fd, request, request);
	close(fd);
}

static void serve(int listener)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0 && fork() == 0) {
			serve_one(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void put_secret(const char *text)
{
	int fd = open(t.secret, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int start_server(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", t.socket);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(listener, 128) < 0)
		return -1;
	t.server = fork();
	if (t.server == 0) {
		setpgid(0, 0);
		serve(listener);
	}
	setpgid(t.server, t.server);
	close(listener);
	return 0;
}

static int open_all(void **state)
{
	char url[160];
	struct errinfo e;

	(void)state;
	memset(&t, 0, sizeof t);
	setenv("CHOMP_LOG", "error", 0);
	log_init("test");
	strcpy(t.dir, "/tmp/chomp-httpc-XXXXXX");
	if (mkdtemp(t.dir) == NULL)
		return -1;
	(void)snprintf(t.socket, sizeof t.socket, "%s/s", t.dir);
	(void)snprintf(t.secret, sizeof t.secret, "%s/secret", t.dir);
	(void)snprintf(url, sizeof url, "unix:%s", t.socket);
	put_secret(SECRET_ONE "\n");
	if (start_server() < 0 || access_init(&t.access, url, t.secret, true, &e) != ERR_OK)
		return -1;
	return httpc_open(&t.h, &t.access, &e) == ERR_OK ? 0 : -1;
}

static int close_all(void **state)
{
	(void)state;
	httpc_close(t.h);
	access_release(&t.access);
	kill(-t.server, SIGKILL);
	waitpid(t.server, NULL, 0);
	unlink(t.socket);
	unlink(t.secret);
	return rmdir(t.dir);
}

/* ---- calls ---- */
static void done(struct call *c)
{
	t.done++;
	t.status = c->status;
	t.retry_after_ms = c->retry_after_ms;
	t.log_start = c->log_start;
	t.log_end = c->log_end;
	(void)snprintf(t.why, sizeof t.why, "%s", c->why);
	(void)snprintf(t.answer, sizeof t.answer, "%s", c->answer.buf);
}

static void run_until(size_t count, int64_t limit_ms)
{
	int64_t end = clock_mono_ms() + limit_ms;

	while (t.done < count && clock_mono_ms() < end) {
		httpc_work(t.h);
		if (t.done < count)
			httpc_wait(t.h, NULL, 0, 20);
	}
	assert_int_equal(t.done, count);
}

static struct call *make(enum call_kind kind, const char *id)
{
	struct call *c = host_call(kind, id);

	c->done = done;
	return c;
}

static void get(const char *id)
{
	t.done = 0;
	httpc_send(t.h, make(CALL_STATUS, id));
	run_until(1, 5000);
}

static void a_get_shows_the_secret(void **state)
{
	(void)state;
	get("echo");
	assert_int_equal(t.status, 200);
	assert_non_null(strstr(t.answer, "GET /status/echo HTTP/1.1\r\n"));
	assert_non_null(strstr(t.answer, "\r\nAuthorization: Bearer " SECRET_ONE "\r\n"));
}

static void a_post_carries_json(void **state)
{
	(void)state;
	struct call *c = make(CALL_DISPATCH, "");
	strbuf_puts(&c->body, "{\"a\":1}");
	httpc_send(t.h, c);
	run_until(1, 5000);
	assert_non_null(strstr(t.answer, "POST /dispatch HTTP/1.1\r\n"));
	assert_non_null(strstr(t.answer, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(t.answer, "\r\n\r\n{\"a\":1}"));
	t.done = 0;
	httpc_send(t.h, make(CALL_KILL, "x"));
	run_until(1, 5000);
	assert_non_null(strstr(t.answer, "POST /kill/x HTTP/1.1\r\n"));
	assert_non_null(strstr(t.answer, "\r\nContent-Length: 0\r\n"));
}

static void a_long_post_does_not_wait_for_permission(void **state)
{
	(void)state;
	struct call *c = make(CALL_DISPATCH, "");
	char *text = strbuf_grow(&c->body, 2000000);
	memset(text, 'x', 2000000);
	c->body.len += 2000000;
	int64_t from = clock_mono_ms();
	httpc_send(t.h, c);
	run_until(1, 5000); /* the server reads 64 KiB and answers */
	assert_true(clock_mono_ms() - from < 500);
	assert_null(strstr(t.answer, "Expect:"));
}

static void a_silent_host_is_left_in_time_and_holds_nobody_up(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * HTTPC_PARALLEL; i++) {
		struct call *c = make(CALL_STATUS, "hang");
		c->limit_ms = HANG_LIMIT_MS;
		httpc_send(t.h, c);
	}
	assert_int_equal(httpc_open_calls(t.h, CALL_STATUS), 2 * HTTPC_PARALLEL);
	int64_t from = clock_mono_ms();
	httpc_send(t.h, make(CALL_KILL, "x"));
	run_until(1, 5000);
	assert_int_equal(t.status, 200); /* the kill */
	assert_true(clock_mono_ms() - from < HANG_LIMIT_MS - 50);
	run_until(1 + 2 * HTTPC_PARALLEL, 5000); /* the second half had its own time */
	assert_int_equal(t.status, 0);
	assert_string_equal(t.why, "no answer in time");
	int64_t took = clock_mono_ms() - from;
	assert_true(took >= 2 * HANG_LIMIT_MS && took < 3 * HANG_LIMIT_MS);
}

static void nobody_there(void **state)
{
	(void)state;
	unlink(t.socket);
	get("echo");
	assert_int_equal(t.status, 0);
	assert_true(strlen(t.why) > 0);
}

static void a_connection_that_breaks_is_no_answer(void **state)
{
	(void)state;
	get("drop");
	assert_int_equal(t.status, 0);
	assert_true(strlen(t.why) > 0);
}

static void a_redirect_is_not_followed(void **state)
{
	(void)state;
	get("redirect");
	assert_int_equal(t.status, 302);
}

static void the_hosts_wish_is_read(void **state)
{
	(void)state;
	get("later");
	assert_int_equal(t.status, 503);
	assert_int_equal(t.retry_after_ms, 7000);
}

static void an_answer_too_long_is_no_answer(void **state)
{
	(void)state;
	get("long");
	assert_int_equal(t.status, 0);
	assert_non_null(strstr(t.why, "longer than"));
}

static bool take(struct call *c, const char *p, size_t len)
{
	assert_int_equal(c->log_start, 10);
	assert_int_equal(c->log_end, 10 + LONG);
	assert_int_equal(*p, 'x');
	t.taken += len;
	return t.taken < t.take_max;
}

static void get_logs(size_t max)
{
	struct call *c = host_call_logs("long", 10);

	t.done = t.taken = 0;
	t.take_max = max;
	c->take = take;
	c->done = done;
	httpc_send(t.h, c);
	run_until(1, 5000);
	assert_int_equal(t.status, 200);
}

static void a_log_is_taken_piece_by_piece(void **state)
{
	(void)state;
	get_logs(SIZE_MAX);
	assert_int_equal(t.taken, LONG);
	get_logs(1 << 20); /* enough is enough */
	assert_true(t.taken >= 1 << 20 && t.taken < (1 << 20) + 65536);
	assert_int_equal(t.log_end, 10 + LONG);
}

static void a_changed_secret_is_read_again_once(void **state)
{
	(void)state;
	get("two");
	assert_int_equal(t.status, 401);
	put_secret(SECRET_TWO "\n");
	t.done = 0;
	for (int i = 0; i < 5; i++) /* all were sent with the old one */
		httpc_send(t.h, make(CALL_STATUS, "two"));
	run_until(5, 5000);
	assert_int_equal(t.status, 200);
	assert_non_null(strstr(t.answer, SECRET_TWO));
}

static void a_changed_secret_that_is_refused_too_is_the_end_of_it(void **state)
{
	(void)state;
	put_secret("a-third-secret-0123456789\n");
	get("two");
	assert_int_equal(t.status, 401);
}

static void a_descriptor_wakes_the_wait(void **state)
{
	(void)state;
	int pipe_fd[2];
	assert_int_equal(pipe(pipe_fd), 0);
	struct httpc_fd fds[] = { { .fd = pipe_fd[0] } };
	httpc_wait(t.h, fds, 1, 10);
	assert_false(fds[0].readable);
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
	int64_t from = clock_mono_ms();
	httpc_wait(t.h, fds, 1, -1);
	assert_true(fds[0].readable);
	assert_true(clock_mono_ms() - from < 1000);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static void closing_with_calls_under_way_leaks_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < HTTPC_PARALLEL + 3; i++)
		httpc_send(t.h, make(CALL_STATUS, "hang"));
	httpc_work(t.h);
}

#define with_server(p, fn) \
	((p)->tests[(p)->count++] = (struct CMUnitTest){ #fn, fn, open_all, close_all, NULL })

int main(void)
{
	static struct plan p;

	signal(SIGPIPE, SIG_IGN);
	with_server(&p, a_get_shows_the_secret);
	with_server(&p, a_post_carries_json);
	with_server(&p, a_long_post_does_not_wait_for_permission);
	with_server(&p, a_silent_host_is_left_in_time_and_holds_nobody_up);
	with_server(&p, nobody_there);
	with_server(&p, a_connection_that_breaks_is_no_answer);
	with_server(&p, a_redirect_is_not_followed);
	with_server(&p, the_hosts_wish_is_read);
	with_server(&p, an_answer_too_long_is_no_answer);
	with_server(&p, a_log_is_taken_piece_by_piece);
	with_server(&p, a_changed_secret_is_read_again_once);
	with_server(&p, a_changed_secret_that_is_refused_too_is_the_end_of_it);
	with_server(&p, a_descriptor_wakes_the_wait);
	with_server(&p, closing_with_calls_under_way_leaks_nothing);
	return plan_run("httpc", &p);
}
