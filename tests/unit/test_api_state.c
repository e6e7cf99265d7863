/* Everything at once, and how it is. */
#include <sys/file.h>

#include "api_kit.h"

/* ---- GET /api/state ---- */
static void state_is_oldest_first(void **state)
{
	(void)state;
	struct reply r = get(api_state, NULL);
	assert_status(r, 200);
	assert_string_equal(r.body, "{\"tasks\":[],\"next_id\":1}");
	make_five();
	r = get(api_state, NULL);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(field(item(r.json, "tasks", i), "id"),
				    arena_printf(&w.a, "%zu", i + 1));
	assert_null(item(r.json, "tasks", 4));
	assert_int_equal(number(r.json, "next_id"), 6);
	assert_null(strstr(r.body, "nonce"));
	assert_string_equal(r.type, JSON);
}

static void hostile_text_is_json_all_the_same(void **state)
{
	(void)state;
	assert_status(post(api_task_create, "{\"prompt\":\"\\\"]}<\\u0001\\n\xE2\x80\xA8\\\\\"}"),
		      200);
	struct reply r = get(api_state, NULL);
	assert_string_equal(field(item(r.json, "tasks", 0), "prompt"), "\"]}<\x01\n\xE2\x80\xA8\\");
}

/* ---- GET /api/health ---- */
/* Whoever lives holds the lock of its name. */
static int live(const char *name)
{
	(void)mkdir(world_path(&w, arena_printf(&w.a, "run/%s", name)), 0700);
	int fd = open(world_path(&w, arena_printf(&w.a, "run/%s/lock", name)),
		      O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

static void health_says_who_lives(void **state)
{
	(void)state;
	unsetenv("CHOMP_SANDBOX_URL");
	struct reply r = get(api_health, NULL);
	assert_status(r, 503);
	assert_string_equal(field(r.json, "status"), "degraded");
	assert_non_null(strstr(r.body, "\"dispatch\":false"));
	int dispatch = live("dispatch"), sandbox = live("sandbox");
	r = get(api_health, NULL);
	assert_status(r, 200);
	assert_string_equal(field(r.json, "status"), "ok");
	assert_non_null(strstr(r.body, "\"dispatch\":true"));
	assert_non_null(strstr(r.body, "\"sandbox\":true"));
	close(sandbox);
	assert_status(get(api_health, NULL), 503);
	setenv("CHOMP_SANDBOX_URL", "https://boxes.example",
	       1); /* somebody else's host is not ours to watch */
	r = get(api_health, NULL);
	assert_status(r, 200);
	assert_null(strstr(r.body, "\"sandbox\""));
	unsetenv("CHOMP_SANDBOX_URL");
	close(dispatch);
	assert_status(get(api_health, NULL), 503);
}

static void health_tells_a_stranger_one_word(void **state)
{
	(void)state;
	make_task("");
	int dispatch = live("dispatch"), sandbox = live("sandbox");
	struct reply r = ask((struct ask){ .handler = api_health, .nobody = true });
	assert_status(r, 200);
	assert_string_equal(r.body, "{\"status\":\"ok\"}");
	close(dispatch);
	r = ask((struct ask){ .handler = api_health, .nobody = true });
	assert_status(r, 503);
	assert_string_equal(r.body, "{\"status\":\"degraded\"}");
	close(sandbox);
}

static void health_is_loud_about_the_store(void **state)
{
	size_t len;

	(void)state;
	int dispatch = live("dispatch"), sandbox = live("sandbox");
	make_task("");
	assert_non_null(strstr(get(api_health, NULL).body, "\"writable\":true"));
	world_write(&w, "run/worker/read_only", "", 0);
	struct reply r = get(api_health, NULL);
	assert_status(r, 503);
	assert_non_null(strstr(r.body, "\"writable\":false,\"error\":\"read_only\""));
	assert_int_equal(unlink(world_path(&w, "run/worker/read_only")), 0);
	assert_status(get(api_health, NULL), 200);
	char *log = world_read(&w, "state/tasks.log", &len);
	world_write(&w, "state/tasks.log", arena_printf(&w.a, "%snot a record\n", log), len + 13);
	r = get(api_health, NULL);
	assert_status(r, 503);
	assert_non_null(strstr(r.body, "\"error\":\"corrupt\""));
	assert_non_null(strstr(r.body, arena_printf(&w.a, "byte %zu", len))); /* where it is */
	close(dispatch);
	close(sandbox);
}

static void health_counts_tasks(void **state)
{
	struct json_object *store = NULL;
	struct errinfo e;

	(void)state;
	make_five();
	struct reply r = get(api_health, NULL);
	assert_ok(jr_obj_opt(r.json, "store", &store, &e), &e);
	static const char *const names[] = { "queued", "active", "done", "failed" };
	for (int i = 0; i < 4; i++)
		assert_int_equal(number(store, names[i]), 1);
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("the state is oldest first", state_is_oldest_first),
		T("hostile text is JSON all the same", hostile_text_is_json_all_the_same),
		T("health says who lives", health_says_who_lives),
		T("health tells a stranger one word", health_tells_a_stranger_one_word),
		T("health is loud about the store", health_is_loud_about_the_store),
		T("health counts tasks", health_counts_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
