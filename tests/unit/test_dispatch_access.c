#include "dispatch/access.h"

#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

#define SECRET "0123456789abcdef-secret"

static const struct row {
	const char *name, *url, *secret; /* secret NULL: no file */
	bool named;
	enum err want;
	const char *base, *socket;
} rows[] = {
	{ "a unix socket", "unix:/run/x.sock", SECRET, false, ERR_OK, "http://localhost",
	  "/run/x.sock" },
	{ "a unix socket without a secret", "unix:/run/x.sock", NULL, false, ERR_OK,
	  "http://localhost", "/run/x.sock" },
	{ "a named secret must be there", "unix:/run/x.sock", NULL, true, ERR_NOT_FOUND, NULL,
	  NULL },
	{ "a relative socket", "unix:x.sock", SECRET, false, ERR_BAD_INPUT, NULL, NULL },
	{ "loopback", "http://127.0.0.1:9000", SECRET, false, ERR_OK, "http://127.0.0.1:9000",
	  NULL },
	{ "all of 127/8 is loopback", "http://127.8.9.1", SECRET, false, ERR_OK, "http://127.8.9.1",
	  NULL },
	{ "loopback without a secret", "http://127.0.0.1:9000/", NULL, false, ERR_OK,
	  "http://127.0.0.1:9000", NULL },
	{ "localhost", "http://localhost:9000", SECRET, false, ERR_OK, "http://localhost:9000",
	  NULL },
	{ "loopback of IPv6", "http://[::1]:9000", SECRET, false, ERR_OK, "http://[::1]:9000",
	  NULL },
	{ "plain http elsewhere with a secret", "http://10.0.0.1:9000", SECRET, false,
	  ERR_BAD_INPUT, NULL, NULL },
	{ "plain http elsewhere without one", "http://10.0.0.1:9000", NULL, false, ERR_BAD_INPUT,
	  NULL, NULL },
	{ "a name that only begins like loopback", "http://127.0.0.1.evil.example", SECRET, false,
	  ERR_BAD_INPUT, NULL, NULL },
	{ "a name that only begins like localhost", "http://localhost.evil.example", SECRET, false,
	  ERR_BAD_INPUT, NULL, NULL },
	{ "loopback as a user name", "http://127.0.0.1@evil.example", SECRET, false, ERR_BAD_INPUT,
	  NULL, NULL },
	{ "loopback as a user with a password", "http://127.0.0.1:80@evil.example", SECRET, false,
	  ERR_BAD_INPUT, NULL, NULL },
	{ "loopback before a back slash", "http://127.0.0.1\\@evil.example", SECRET, false,
	  ERR_BAD_INPUT, NULL, NULL },
	{ "short forms of loopback are not taken", "http://127.1", SECRET, false, ERR_BAD_INPUT,
	  NULL, NULL },
	{ "TLS elsewhere", "https://edge.example.workers.dev/", SECRET, false, ERR_OK,
	  "https://edge.example.workers.dev", NULL },
	{ "TLS with a path", "https://example.org/chomp/", SECRET, false, ERR_OK,
	  "https://example.org/chomp", NULL },
	{ "TLS elsewhere without a secret", "https://example.org", NULL, false, ERR_BAD_INPUT, NULL,
	  NULL },
	{ "a query", "https://example.org/?x=1", SECRET, false, ERR_BAD_INPUT, NULL, NULL },
	{ "a space", "https://example.org/a b", SECRET, false, ERR_BAD_INPUT, NULL, NULL },
	{ "no host", "https://", SECRET, false, ERR_BAD_INPUT, NULL, NULL },
	{ "another scheme", "ftp://example.org", SECRET, false, ERR_BAD_INPUT, NULL, NULL },
	{ "a secret with a space", "unix:/run/x.sock", "0123456789 abcdefghij", false,
	  ERR_BAD_INPUT, NULL, NULL },
	{ "a secret that is too short", "unix:/run/x.sock", "short", false, ERR_CORRUPT, NULL,
	  NULL },
};

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
}

static void place(void **state)
{
	ROW(struct row);
	char path[] = "/tmp/chomp-secret-XXXXXX";
	struct access x;
	struct errinfo e = { 0 };

	close(mkstemp(path));
	if (r->secret != NULL)
		put(path, r->secret);
	else
		unlink(path);
	assert_err(access_init(&x, r->url, path, r->named, &e), r->want, &e);
	if (r->want == ERR_OK) {
		assert_text(x.base, r->base);
		assert_text(x.socket, r->socket);
		assert_string_equal(x.secret, r->secret != NULL ? r->secret : "");
	}
	if (r->want != ERR_OK)
		assert_null(strstr(e.what, SECRET));
	access_release(&x);
	unlink(path);
}

static void a_new_secret_is_read(void **state)
{
	char path[] = "/tmp/chomp-secret-XXXXXX";
	struct access x;
	struct errinfo e;

	(void)state;
	close(mkstemp(path));
	put(path, SECRET);
	assert_ok(access_init(&x, "unix:/x", path, true, &e), &e);
	assert_false(access_reread(&x));
	put(path, "another-secret-0123456789");
	assert_true(access_reread(&x));
	assert_string_equal(x.secret, "another-secret-0123456789");
	unlink(path);
	assert_false(access_reread(&x));
	assert_string_equal(x.secret, "another-secret-0123456789");
	access_release(&x);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, place);
	plan_add(&p, "a new secret is read", a_new_secret_is_read, NULL);
	return plan_run("access", &p);
}
