#include "core/number.h"
#include "http/request.h"
#include "unit.h"

/* ---- ids ---- */
static const struct id {
	const char *name;
	const char *text;
	enum err want;
	int64_t id;
} ids[] = {
	{ "digits are an id", "42", ERR_OK, 42 },
	{ "1 is the smallest", "1", ERR_OK, 1 },
	{ "2^53 is the largest", "9007199254740992", ERR_OK, NUMBER_MAX },
	{ "more names no task", "9007199254740993", ERR_OK, -1 },
	{ "a hundred digits name no task",
	  "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
	  "901234567890",
	  ERR_OK, -1 },
	{ "0 names no task", "0", ERR_OK, -1 },
	{ "a leading zero names no task", "07", ERR_OK, -1 },
	{ "nothing is no id", "", ERR_BAD_INPUT, 0 },
	{ "a word is no id", "run", ERR_BAD_INPUT, 0 },
	{ "a minus is no id", "-1", ERR_BAD_INPUT, 0 },
	{ "a plus is no id", "+1", ERR_BAD_INPUT, 0 },
	{ "digits and text are no id", "7x", ERR_BAD_INPUT, 0 },
	{ "a space is no id", " 7", ERR_BAD_INPUT, 0 },
	{ "a fraction is no id", "7.0", ERR_BAD_INPUT, 0 },
	{ "a percent escape is no id", "%37", ERR_BAD_INPUT, 0 },
	{ "bytes are no id", "\xFF", ERR_BAD_INPUT, 0 },
};

static void id_of_a_path(void **state)
{
	ROW(struct id);
	struct errinfo e;
	int64_t id = 0;

	assert_err(request_id(r->text, &id, &e), r->want, &e);
	assert_int_equal(id, r->id);
	if (r->want != ERR_OK)
		assert_string_equal(err_code(&e), "bad_id");
}

/* ---- the query ---- */
static const struct query {
	const char *name;
	const char *query, *key, *value;
} queries[] = {
	{ "a parameter is found", "a=1&b=2", "b", "2" },
	{ "a missing one is none", "a=1&b=2", "c", NULL },
	{ "an empty one is empty", "a=&b=2", "a", "" },
	{ "one without a value is empty", "a&b=2", "a", "" },
	{ "escapes are decoded", "q=a%20b%2Bc+d%C3%A4", "q", "a b+c d\xC3\xA4" },
	{ "names are decoded", "%61=1", "a", "1" },
	{ "no query has none", "", "a", NULL },
	{ "ampersands alone have none", "&&&", "a", NULL },
	{ "a NUL spoils the query", "a=%00", "a", NULL },
	{ "a broken escape spoils the query", "a=%4", "a", NULL },
	{ "bytes that are no text spoil the query", "a=%FF", "a", NULL },
	{ "a name twice spoils the query", "a=1&a=2", "a", NULL },
};

static void parameter_of_a_query(void **state)
{
	ROW(struct query);
	struct request rq = { .query = r->query };

	assert_text(request_query(&rq, r->key), r->value);
	arena_reset(&rq.arena);
}

/* ---- who navigates ---- */
static const struct page {
	const char *name;
	const char *accept;
	bool htmx, page;
} pages[] = {
	{ "a browser wants a page", "text/html,application/xhtml+xml,*/*;q=0.8", false, true },
	{ "htmx wants a fragment", "text/html, */*", true, false },
	{ "curl wants JSON", "*/*", false, false },
	{ "a script wants JSON", "application/json", false, false },
	{ "who says nothing wants JSON", "", false, false },
};

static void page_or_not(void **state)
{
	ROW(struct page);
	struct request rq = { .accept = r->accept, .htmx = r->htmx };

	assert_int_equal(request_wants_page(&rq), r->page);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, ids, id_of_a_path);
	PLAN_ROWS(&p, queries, parameter_of_a_query);
	PLAN_ROWS(&p, pages, page_or_not);
	return plan_run("request", &p);
}
