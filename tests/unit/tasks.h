/* Tasks for tests: one with every field set, and the text of one with all that is in it. */
#ifndef CHOMP_TESTS_TASKS_H
#define CHOMP_TESTS_TASKS_H

#include "core/arena.h"
#include "core/json.h"
#include "model/codec.h"
#include "model/task.h"

/* Everything of the task as JSON, private members too: two tasks are equal when these are. */
static inline const char *task_text(struct arena *a, const struct task *t)
{
	struct strbuf sb;
	struct jw w;

	strbuf_init(&sb);
	jw_init(&w, &sb);
	jw_object(&w, NULL);
	jw_i64(&w, "id", t->id);
	task_write(&w, t, PART_FIXED | PART_CHANGING | PART_PRIVATE);
	jw_object_end(&w);
	const char *text = arena_strdup(a, sb.buf);
	strbuf_release(&sb);
	return text;
}

static inline struct session session_full(void)
{
	return (struct session){
		.id = "s1",
		.agent = "pi",
		.model = "gpt-4.1",
		.router = "zen",
		.started_at = 1770804000123,
		.ended_at = 1770804100456,
		.reported = true,
		.tokens = 1234,
		.usage = { .known = true,
			   .input = 1000,
			   .output = 200,
			   .cache_read = 30,
			   .cache_write = 4 },
		.result = RESULT_GATE_FAILED,
		.summary = "half of it",
		.sandbox_id = "sb-0123",
		.has_exit_code = true,
		.exit_code = -9,
		.dispatch = { .id = "00112233445566778899aabbccddeeff",
			      .state = STEP_DONE,
			      .attempts = 3,
			      .error = "host was away",
			      .next_at = 1770804000500,
			      .since = 1770804000124 },
		.kill = { .state = STEP_PENDING,
			  .attempts = 2,
			  .error = "still away",
			  .next_at = 5000,
			  .since = 4000 },
		.nonce = "n0nce",
		.expires_at = 1770818400000,
		.active_at = 1770804090000,
		.extra = "{\"old\":[1,2.50]}",
	};
}

/* Every field differs from its zero. */
static inline struct task task_full(struct arena *a)
{
	struct task t = {
		.id = 42,
		.prompt = "do it",
		.dir = "/srv/x",
		.repo_url = "https://example.com/r.git",
		.branch = "main",
		.host = "local",
		.network = "internet",
		.idempotency_key = "key-1",
		.extra = "{\"extra_field\":{\"kept\":true},\"x\":null}",
		.created = 1770800000001,
		.status = STATUS_ACTIVE,
		.platform = "pi",
		.model = "gpt-4.1",
		.router = "zen",
		.priority = -7,
		.updated = 1770804100456,
		.tokens = 5678,
		.token_budget = 300000,
		.on_budget = BUDGET_STOP,
		.budget_exceeded = true,
		.result = "so far",
		.error = "nothing yet",
		.held = true,
		.parked_until = 1770900000000,
	};

	t.artifact_count = 1;
	t.artifacts = arena_alloc(a, sizeof *t.artifacts);
	t.artifacts[0] = (struct artifact){ "changes.patch", 777, 1770804100000, "s1", { true, 3, 20, 4 } };
	t.session_count = 2;
	t.sessions = arena_alloc(a, 2 * sizeof *t.sessions);
	t.sessions[0] = session_full();
	t.sessions[1] = (struct session){ .id = "s2", .agent = "pi", .started_at = 1770804200000 };
	return t;
}

#endif
