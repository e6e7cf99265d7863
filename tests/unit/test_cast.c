#include "core/cast.h"
#include "core/strbuf.h"
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("cast", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	return fd;
}

static int put(void *arg, const char *p, size_t len)
{
	strbuf_add(arg, p, len);
	return 0;
}

#define HEAD "film 1 5000 80 24\n"
#define HEAD_OUT                                                                                          \
	"{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":5,\"env\":{\"TERM\":\"xterm-256color\"," \
	"\"SHELL\":\"/bin/bash\"}}\n"

static const struct row {
	const char *name, *log, *film, *marks, *want;
	int64_t newest;
} rows[] = {
	{ "nothing shown yet", "", HEAD, NULL, HEAD_OUT, 99 },
	{ "bytes at their times", "onetwo", HEAD "10 o 0\n1500 o 3\n", NULL,
	  HEAD_OUT "[0.010,\"o\",\"one\"]\n[1.500,\"o\",\"two\"]\n", 99 },
	{ "quotes, controls and escapes", "\"\\\x1b[m\r\n\t\x7f", HEAD "1 o 0\n", NULL,
	  HEAD_OUT "[0.001,\"o\",\"\\\"\\\\\\u001b[m\\r\\n\\u0009\\u007f\"]\n", 99 },
	{ "a character in two moments is told whole", "a\xC3\xA9z", HEAD "1 o 0\n9 o 2\n", NULL,
	  HEAD_OUT "[0.001,\"o\",\"a\"]\n[0.009,\"o\",\"\xC3\xA9z\"]\n", 99 },
	{ "what is no UTF-8 is marked", "\xFF\xED\xA0\x80\xC3", HEAD "1 o 0\n", NULL,
	  HEAD_OUT "[0.001,\"o\",\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"]\n", 99 },
	{ "a size between", "abcd", HEAD "1 o 0\n5 r 100 30 2\n", NULL,
	  HEAD_OUT "[0.001,\"o\",\"ab\"]\n[0.005,\"r\",\"100x30\"]\n[0.005,\"o\",\"cd\"]\n", 99 },
	{ "marks in their places", "ab", HEAD "1000 o 0\n3000 o 1\n", "4000 early\n7000 tokens \"5\"\n9000 late\n",
	  HEAD_OUT "[0.000,\"m\",\"early\"]\n[1.000,\"o\",\"a\"]\n[2.000,\"m\",\"tokens \\\"5\\\"\"]\n"
		   "[3.000,\"o\",\"b\"]\n[4.000,\"m\",\"late\"]\n",
	  99 },
	{ "the oldest bytes are dropped first", "abcdef", HEAD "1 o 0\n2 o 2\n3 o 4\n", NULL,
	  HEAD_OUT "[0.002,\"o\",\"d\"]\n[0.003,\"o\",\"ef\"]\n", 3 },
	{ "a line without its end is not there yet", "ab", HEAD "1 o 0\n2 o 1", NULL,
	  HEAD_OUT "[0.001,\"o\",\"ab\"]\n", 99 },
	{ "a damaged line is the last one", "ab", HEAD "1 o 0\nx\n2 o 1\n", NULL, HEAD_OUT "[0.001,\"o\",\"ab\"]\n", 99 },
	{ "a film that is ahead of the log's copy", "ab", HEAD "1 o 0\n2 o 50\n3 r 90 20 60\n", NULL,
	  HEAD_OUT "[0.001,\"o\",\"ab\"]\n[0.003,\"r\",\"90x20\"]\n", 99 },
};

static void cast_row(void **state)
{
	ROW(struct row);
	struct errinfo e = { 0 };
	struct strbuf out;
	struct cast c = { .log = file_of(r->log, strlen(r->log)), .film = file_of(r->film, strlen(r->film)),
			  .marks = r->marks != NULL ? file_of(r->marks, strlen(r->marks)) : -1, .newest = r->newest };

	strbuf_init(&out);
	assert_ok(cast_write(&c, put, &out, &e), &e);
	assert_text(out.buf, r->want);
	strbuf_release(&out);
	close(c.log);
	close(c.film);
	if (c.marks >= 0)
		close(c.marks);
}

static void no_film(void **state)
{
	struct errinfo e = { 0 };
	struct cast c = { .log = file_of("x", 1), .film = file_of("", 0), .marks = -1, .newest = 9 };
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	assert_err(cast_write(&c, put, &out, &e), ERR_NOT_FOUND, &e);
	assert_int_equal(out.len, 0);
	strbuf_release(&out);
	close(c.log);
	close(c.film);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, cast_row);
	plan_add(&p, "without a film there is no recording", no_film, NULL);
	return plan_run("cast", &p);
}
