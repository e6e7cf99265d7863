#include "core/hostport.h"
#include "unit.h"

static const struct row {
	const char *name, *url, *want; /* NULL: it has none */
} rows[] = {
	{ "http has port 80", "http://h/x", "h:80" },
	{ "https has port 443", "https://h", "h:443" },
	{ "a port of its own", "http://127.0.0.1:11434/v1", "127.0.0.1:11434" },
	{ "who logs in is no part of it", "https://u:p@h.example:8443/r.git", "h.example:8443" },
	{ "an @ in the path is none", "https://h/a@b:1", "h:443" },
	{ "ssh", "ssh://git@h/r", "h:22" },
	{ "ssh with a port", "ssh://git@h:2222/r", "h:2222" },
	{ "git's short form", "git@h.example:a/b.git", "h.example:22" },
	{ "a file has no server", "file:///srv/r", NULL },
	{ "a path has none", "/srv/r", NULL },
	{ "IPv6 is not taken", "http://[::1]:80/", NULL },
	{ "port 0 is none", "http://h:0/", NULL },
	{ "no host", "http:///x", NULL },
	{ "an option is no host", "http://-h/", NULL },
};

static void url_row(void **state)
{
	ROW(struct row);
	char out[HOSTPORT_MAX] = "";

	assert_int_equal(hostport_of_url(r->url, out), r->want != NULL);
	if (r->want != NULL)
		assert_text(out, r->want);
}

static void forms(void **state)
{
	char long_name[300];

	(void)state;
	memset(long_name, 'a', sizeof long_name);
	memcpy(long_name + 254, ":80", 4);
	assert_false(hostport_valid(long_name));
	assert_true(hostport_valid(long_name + 1));
	assert_false(hostport_valid("h"));
	assert_false(hostport_valid(":80"));
	assert_false(hostport_valid("h:65536"));
	assert_false(hostport_valid("h h:80"));
	assert_true(hostport_same("localhost:80", "127.0.0.1:80"));
	assert_true(hostport_same("H:80", "h:80"));
	assert_false(hostport_same("localhost:80", "127.0.0.1:81"));
	assert_false(hostport_same("h:80", "127.0.0.1:80"));
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "what is HOST:PORT, and when two are the same", forms, NULL);
	PLAN_ROWS(&p, rows, url_row);
	return plan_run("hostport", &p);
}
