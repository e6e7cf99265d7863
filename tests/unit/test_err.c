#include <errno.h>

#include "core/utf8.h"
#include "unit.h"

static const struct row {
	const char *name;
	enum err code;
	int status;
	const char *wire;
} rows[] = {
	{ "ok is 200", ERR_OK, 200, "ok" },
	{ "a bad field is 400 bad_field", ERR_BAD_INPUT, 400, "bad_field" },
	{ "bad JSON is 400 bad_json", ERR_BAD_JSON, 400, "bad_json" },
	{ "no identity is 401 no_token", ERR_NO_TOKEN, 401, "no_token" },
	{ "a refused identity is 403 forbidden", ERR_FORBIDDEN, 403, "forbidden" },
	{ "nothing there is 404 not_found", ERR_NOT_FOUND, 404, "not_found" },
	{ "a wrong method is 405 method", ERR_METHOD, 405, "method" },
	{ "a conflict is 409", ERR_CONFLICT, 409, "conflict" },
	{ "too much is 413 too_large", ERR_TOO_LARGE, 413, "too_large" },
	{ "a foreign type is 415 unsupported_media", ERR_MEDIA, 415, "unsupported_media" },
	{ "an unknown host is 421", ERR_MISDIRECTED, 421, "unknown_host" },
	{ "too often is 429 limit", ERR_LIMIT, 429, "limit" },
	{ "a fault of ours is 500 io", ERR_IO, 500, "io" },
	{ "damage is 500 corrupt", ERR_CORRUPT, 500, "corrupt" },
	{ "a lock not had is 503 busy", ERR_BUSY, 503, "busy" },
	{ "a failed sync is 503 read_only", ERR_READONLY, 503, "read_only" },
	{ "a full disk is 507 disk_full", ERR_DISK_FULL, 507, "disk_full" },
};

static void code_has_its_status_and_word(void **state)
{
	ROW(struct row);
	struct errinfo e;

	assert_int_equal(err_set(&e, r->code, 0, "because of %d", 7), r->code);
	assert_int_equal(e.code, r->code);
	assert_int_equal(err_status(r->code), r->status);
	assert_string_equal(err_code(&e), r->wire);
	assert_string_equal(e.what, "because of 7");
}

static void finer_word_replaces_the_table_s(void **state)
{
	struct errinfo e;

	(void)state;
	assert_int_equal(err_wire(&e, ERR_CONFLICT, "not_queued", "task %d", 7), ERR_CONFLICT);
	assert_string_equal(err_code(&e), "not_queued");
	assert_int_equal(e.sys, 0);
	err_set(&e, ERR_CONFLICT, 0, "again");
	assert_string_equal(err_code(&e), "conflict"); /* nothing of the error before is left */
}

static void errno_is_kept_and_told(void **state)
{
	struct errinfo e;

	(void)state;
	err_set(&e, ERR_IO, ENOENT, "open %s", "x");
	assert_int_equal(e.sys, ENOENT);
	assert_string_equal(e.what, "open x: No such file or directory");
}

static void nobody_has_to_listen(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, 0, "x"), ERR_BUSY);
	assert_int_equal(err_wire(NULL, ERR_CONFLICT, "y", "x"), ERR_CONFLICT);
}

static void long_message_is_cut(void **state)
{
	struct errinfo e;
	char text[600];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&e, ERR_IO, EACCES, "%s", text);
	assert_int_equal(strlen(e.what), sizeof e.what - 1);
}

/* Messages quote what clients send, cut by %.20s or by the end of the buffer; they end up in JSON.
 */
static void message_is_text_whatever_it_quotes(void **state)
{
	struct errinfo e;
	char text[600] = "";

	(void)state;
	err_set(&e, ERR_NOT_FOUND, 0, "no session %s here", "\xff\xc3");
	assert_string_equal(e.what, "no session ?? here");
	err_set(&e, ERR_NOT_FOUND, 0, "%.4s", "abc\xc3\xa4");
	assert_string_equal(e.what, "abc?");
	err_wire(&e, ERR_BAD_INPUT, "bad_id", "%s", "\xf0\x9f\xa6\x96 stays, \xed\xa0\x80 goes");
	assert_string_equal(e.what, "\xf0\x9f\xa6\x96 stays, ??? goes");
	for (size_t i = 0; i + 2 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa4", 3);
	for (int shift = 0; shift < 2; shift++) {
		err_set(&e, ERR_IO, 0, "%s%s", shift != 0 ? "x" : "", text);
		assert_true(utf8_valid(e.what, strlen(e.what)));
	}
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, code_has_its_status_and_word);
	plan_add(&p, "a finer word replaces the table's", finer_word_replaces_the_table_s, NULL);
	plan_add(&p, "errno is kept and told", errno_is_kept_and_told, NULL);
	plan_add(&p, "nobody has to listen", nobody_has_to_listen, NULL);
	plan_add(&p, "a long message is cut", long_message_is_cut, NULL);
	plan_add(&p, "a message is text whatever it quotes", message_is_text_whatever_it_quotes,
		 NULL);
	return plan_run("err", &p);
}
