#include "sandbox/limits.h"
#include "unit.h"

static const struct row {
	const char *name, *text;
	enum err want;
	int64_t memory;
} rows[] = {
	{ "bytes", "memory=104857600", ERR_OK, 104857600 },
	{ "MiB", "memory=100M", ERR_OK, 104857600 },
	{ "GiB, among others", "processes=64,memory=2G,file=1M,files=64,tmp=4M", ERR_OK, INT64_C(2) << 30 },
	{ "nothing", "", ERR_OK, -1 },
	{ "too little", "memory=1M", ERR_BAD_INPUT, 0 },
	{ "no number", "memory=lots", ERR_BAD_INPUT, 0 },
	{ "a number too large", "memory=99999999999G", ERR_BAD_INPUT, 0 },
	{ "an unknown name", "disks=1G", ERR_BAD_INPUT, 0 },
	{ "a name alone", "memory", ERR_BAD_INPUT, 0 },
	{ "an empty one", "memory=1G,,file=1M", ERR_BAD_INPUT, 0 },
};

static void parse_row(void **state)
{
	ROW(struct row);
	struct errinfo e = { 0 };
	struct limits l, again = { 0 };
	char text[LIMITS_TEXT];

	limits_default(&l);
	assert_true(l.memory > 0 && l.processes > 0);
	int64_t before = l.memory;
	assert_err(limits_parse(&l, r->text, &e), r->want, &e);
	if (r->want != ERR_OK)
		return;
	assert_int_equal(l.memory, r->memory >= 0 ? r->memory : before);
	assert_ok(limits_parse(&again, limits_text(&l, text), &e), &e);
	assert_memory_equal(&again, &l, sizeof l);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, parse_row);
	return plan_run("sandbox limits", &p);
}
