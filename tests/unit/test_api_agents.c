/* Agents of the owner's own. */
#include "api_kit.h"

static const struct refused {
	const char *name;
	const char *type, *body;
	int status;
	const char *code;
} refused[] = {
	{ "no id", JSON, "{\"name\":\"x\"}", 400, "bad_id" },
	{ "an empty id", FORM, "id=&name=x", 400, "bad_id" },
	{ "an id in capitals", JSON, "{\"id\":\"Mine\",\"name\":\"x\"}", 400, "bad_id" },
	{ "an id with a dash at its end", JSON, "{\"id\":\"mine-\",\"name\":\"x\"}", 400,
	  "bad_id" },
	{ "an id with two dashes", JSON, "{\"id\":\"my--agent\",\"name\":\"x\"}", 400, "bad_id" },
	{ "an id with a slash", JSON, "{\"id\":\"../x\",\"name\":\"x\"}", 400, "bad_id" },
	{ "an id that is a number", JSON, "{\"id\":7,\"name\":\"x\"}", 400, "bad_field" },
	{ "a built-in id", JSON, "{\"id\":\"shell\",\"name\":\"x\"}", 400, "builtin_agent" },
	{ "the removal of a built-in agent", JSON, "{\"id\":\"pi\",\"delete\":true}", 400,
	  "builtin_agent" },
	{ "the removal of nobody", FORM, "id=nobody&delete=true", 404, "not_found" },
	{ "a removal that is none", FORM, "id=mine&delete=maybe", 400, "bad_field" },
	{ "no name", JSON, "{\"id\":\"mine\"}", 400, "bad_field" },
	{ "a name of two lines", JSON, "{\"id\":\"mine\",\"name\":\"a\\nb\"}", 400, "bad_field" },
	{ "a command of two lines", JSON, "{\"id\":\"mine\",\"name\":\"x\",\"command\":\"a\\nb\"}",
	  400, "bad_field" },
	{ "a color with a bracket", JSON, "{\"id\":\"mine\",\"name\":\"x\",\"color\":\"#12345;\"}",
	  400, "bad_field" },
	{ "a color by name", JSON, "{\"id\":\"mine\",\"name\":\"x\",\"color\":\"red\"}", 400,
	  "bad_field" },
	{ "models that are numbers", JSON, "{\"id\":\"mine\",\"name\":\"x\",\"models\":[1]}", 400,
	  "bad_field" },
	{ "models that are an object", JSON, "{\"id\":\"mine\",\"name\":\"x\",\"models\":{}}", 400,
	  "bad_field" },
	{ "a model that is an option", JSON,
	  "{\"id\":\"mine\",\"name\":\"x\",\"models\":[\"--yolo\"]}", 400, "bad_field" },
	{ "broken JSON", JSON, "{\"id\":\"mine\"", 400, "bad_json" },
	{ "plain text", "text/plain", "id=mine", 415, "unsupported_media" },
};

static void agent_is_refused(void **state)
{
	ROW(struct refused);

	(void)api_setup(state);
	assert_status(post(api_config_agents_post, "{\"id\":\"mine\",\"name\":\"Mine\"}"), 200);
	assert_refused(
		(struct ask){ .handler = api_config_agents_post, .type = r->type, .body = r->body },
		r->status, r->code);
	(void)api_teardown(state);
}

static struct json_object *shown(const char *id)
{
	struct json_object *o = NULL;
	struct errinfo e;

	assert_ok(jr_obj_opt(get(api_config_agents, NULL).json, id, &o, &e), &e);
	return o;
}

static void agent_is_made_and_shown(void **state)
{
	(void)state;
	struct reply r = post(api_config_agents_post,
			      "{\"id\":\"mine\",\"name\":\"Mine <b>\",\"command\":\"run "
			      "{prompt_file}\",\"models\":[\"big\",\"small\"],"
			      "\"color\":\"#0af\"}");
	assert_status(r, 200);
	assert_string_equal(r.trigger, "refreshTasks");
	assert_string_equal(field(r.json, "id"), "mine");
	assert_string_equal(field(r.json, "default_model"), "big");
	struct json_object *o = shown("mine");
	assert_non_null(o);
	assert_string_equal(field(o, "name"), "Mine <b>");
	assert_string_equal(field(o, "command"), "run {prompt_file}");
	assert_string_equal(json_string(item(o, "models", 1)), "small");
	assert_null(item(o, "models", 2));
	assert_null(field(o, "reason"));
	/* A form: names between commas and spaces; what it leaves out stays. */
	r = ask((struct ask){ .handler = api_config_agents_post,
			      .type = FORM,
			      .body = "id=mine&name=Other&models=a,+b%0A%0Ac" });
	assert_status(r, 200);
	assert_string_equal(field(r.json, "command"), "run {prompt_file}");
	assert_string_equal(json_string(item(r.json, "models", 2)), "c");
	assert_null(item(r.json, "models", 3));
	/* Without a command it is listed, and says why it cannot run. */
	r = post(api_config_agents_post,
		 "{\"id\":\"mine\",\"name\":\"Other\",\"command\":\"\",\"models\":[]}");
	assert_null(field(r.json, "command"));
	assert_non_null(field(r.json, "reason"));
	assert_null(field(r.json, "default_model"));
}

static void agent_is_run(void **state)
{
	(void)state;
	assert_status(
		post(api_config_agents_post,
		     "{\"id\":\"mine\",\"name\":\"M\",\"command\":\"x\",\"models\":[\"big\"]}"),
		200);
	const char *id = run_task("\"agent\":\"mine\"");
	assert_string_equal(task_now(id).sessions[0].agent, "mine");
	assert_string_equal(task_now(id).sessions[0].model, "big");
	assert_status(post(api_config_settings, "{\"default_agent\":\"mine\"}"), 200);
	assert_string_equal(task_now(run_task("")).sessions[0].agent, "mine");
	/* Gone: tasks that name it are refused, those that name none get another. */
	assert_status(post(api_config_agents_post, "{\"id\":\"mine\",\"delete\":true}"), 200);
	assert_string_equal(task_now(run_task("")).sessions[0].agent, "shell");
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\",\"agent\":\"mine\"}" },
		       400, "unknown_agent");
}

static const struct removal {
	const char *name;
	const char *query, *type, *body;
} removals[] = {
	{ "by query", "id=mine", NULL, NULL },
	{ "by JSON", NULL, JSON, "{\"id\":\"mine\"}" },
	{ "by form", NULL, FORM, "id=mine" },
	{ "by body rather than query", "id=other", JSON, "{\"id\":\"mine\"}" },
};

static void agent_is_removed(void **state)
{
	ROW(struct removal);
	struct ask q = { .handler = api_config_agents_delete,
			 .query = r->query,
			 .type = r->type,
			 .body = r->body };

	(void)api_setup(state);
	assert_status(post(api_config_agents_post, "{\"id\":\"mine\",\"name\":\"Mine\"}"), 200);
	assert_status(post(api_config_agents_post, "{\"id\":\"other\",\"name\":\"Other\"}"), 200);
	struct reply rp = ask(q);
	assert_status(rp, 200);
	assert_string_equal(rp.trigger, "refreshTasks");
	assert_string_equal(field(rp.json, "name"), "Mine");
	assert_null(shown("mine"));
	assert_non_null(shown("other"));
	if (r->body != NULL)
		assert_refused(q, 404, "not_found");
	assert_refused((struct ask){ .handler = api_config_agents_delete, .query = "id=gemini" },
		       400, "builtin_agent");
	assert_refused((struct ask){ .handler = api_config_agents_delete }, 400, "bad_id");
	(void)api_teardown(state);
}

/* Adopted ids need not be ours to be removed. */
static void strange_agent_is_removed(void **state)
{
	(void)state;
	world_write(&w, "state/agents.json", "{\"My_Agent\":{\"name\":\"x\"}}", 25);
	assert_status(
		ask((struct ask){ .handler = api_config_agents_delete, .query = "id=My_Agent" }),
		200);
	assert_null(shown("My_Agent"));
	world_write(&w, "state/agents.json", "[]", 2);
	assert_refused((struct ask){ .handler = api_config_agents_post,
				     .type = JSON,
				     .body = "{\"id\":\"a\",\"name\":\"x\"}" },
		       500, "corrupt");
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("an agent is made and shown", agent_is_made_and_shown),
		T("an agent is run", agent_is_run),
		T("a strange agent is removed", strange_agent_is_removed),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, refused, agent_is_refused);
	PLAN_ROWS(&p, removals, agent_is_removed);
	return plan_run("api_agents", &p);
}
