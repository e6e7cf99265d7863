/* What fsck finds and mends, and what a backup brings back. */
#include "core/log.h"
#include "store/check.h"
#include "store/document.h"
#include "store/output.h"
#include "store/secret.h"
#include "store/transfer.h"
#include "tasks.h"
#include "world.h"

/* What is logged here is meant: the tests break things. */
void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f);
void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	(void)level;
	(void)ev;
	(void)f;
}

void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e);
void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e)
{
	(void)level;
	(void)ev;
	(void)e;
}

static struct world w;
static struct strbuf said;

static void say(const char *line)
{
	strbuf_puts(&said, line);
	strbuf_putc(&said, '\n');
}

static int setup(void **state)
{
	(void)state;
	world_open(&w);
	strbuf_init(&said);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_release(&said);
	world_close(&w);
	return 0;
}

static enum err write_text(const struct json_object *old, struct strbuf *out, void *arg, struct errinfo *e)
{
	(void)old;
	(void)e;
	strbuf_puts(out, arg);
	return ERR_OK;
}

static void write_doc(const char *name, const char *text)
{
	struct errinfo e;

	assert_ok(document_change(w.var, name, &w.a, write_text, (void *)(uintptr_t)text, &e), &e);
}

/* gcc takes the pointer that world_read gives for one to a variable of its own when it is inlined. */
__attribute__((noinline)) static char *read_file(const char *name, size_t *len)
{
	return world_read(&w, name, len);
}

static int faults(bool repair)
{
	struct findings f;
	struct errinfo e;

	strbuf_reset(&said);
	assert_ok(store_check(w.var, repair, say, &f, &e), &e);
	return f.faults;
}

static enum err set_result(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)skip;
	(void)e;
	t->result = arg;
	return ERR_OK;
}

static enum err list_artifact(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)skip;
	(void)e;
	t->artifacts = arena_alloc(a, sizeof *t->artifacts);
	t->artifact_count = 1;
	t->artifacts[0] = (struct artifact){ .name = arg, .size = 5, .at = 1, .session = "s1" };
	return ERR_OK;
}

static void change(int64_t id, enum err (*fn)(struct task *, struct arena *, void *, bool *, struct errinfo *),
		   const char *text)
{
	struct change c = { fn, (void *)(uintptr_t)text };
	struct errinfo e;

	assert_ok(store_change(w.store, &w.a, id, c, NULL, &e), &e);
}

static int64_t create(const char *prompt)
{
	struct task t = { .prompt = prompt, .created = 1, .updated = 1 };
	struct errinfo e;

	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	return t.id;
}

static void write_artifact(int64_t id, const char *name)
{
	struct staged s;
	struct errinfo e;

	assert_ok(artifact_stage(w.var, id, "bytes", 5, &s, &e), &e);
	assert_ok(artifact_keep(w.var, &s, name, &e), &e);
}

/* Three tasks, one changed, one deleted, one with an artifact. */
static void make_some(void)
{
	struct errinfo e;

	create("one");
	create("two");
	create("three");
	change(1, set_result, "a result");
	assert_ok(store_delete(w.store, &w.a, 2, 1, NULL, &e), &e);
	write_artifact(3, "changes.patch");
	change(3, list_artifact, "changes.patch");
}

static void what_is_sound_has_no_faults(void **state)
{
	(void)state;
	make_some();
	assert_int_equal(faults(false), 0);
	assert_int_equal(faults(true), 0);
	assert_int_equal(said.len, 0);
}

/* Every bit of every byte: fsck finds it, and the store never takes the flipped log for a good one that says other things. */
static void any_flipped_byte_is_found(void **state)
{
	struct errinfo e;
	size_t len;
	char *log;

	(void)state;
	make_some();
	store_close(w.store);
	w.store = NULL;
	log = read_file("state/tasks.log", &len);
	for (size_t i = 0; i < len; i++) {
		/* every bit of the first line's bytes, one of each byte behind it */
		for (int bit = i < 60 ? 0 : (int)i % 8; bit < 8; bit += i < 60 ? 1 : 8) {
			char good = log[i];
			log[i] = (char)(good ^ 1 << bit);
			world_write(&w, "state/tasks.log", log, len);
			if (faults(false) == 0)
				fail_msg("bit %d of byte %zu is not found", bit, i);
			if (i + 1 == len) { /* the last newline: nobody cuts what was acknowledged */
				struct task t = { .prompt = "x", .created = 1 };
				world_reopen(&w, STORE_OWNER);
				assert_err(store_create(w.store, &w.a, &t, &e), ERR_CORRUPT, &e);
				store_close(w.store);
				w.store = NULL;
			}
			log[i] = good;
		}
	}
	world_write(&w, "state/tasks.log", log, len);
	assert_int_equal(faults(false), 0);
}

/* In the middle of the first change of task 1. */
static void damage(void)
{
	size_t len;
	char *log = read_file("state/tasks.log", &len), *p = strstr(log, "a result");

	*p = 'A';
	world_write(&w, "state/tasks.log", log, len);
}

static void repair_keeps_what_is_good(void **state)
{
	struct store *other;
	struct errinfo e;
	struct task t;
	size_t len, old_len;

	(void)state;
	make_some();
	damage();
	char *old = read_file("state/tasks.log", &old_len);
	world_reopen(&w, STORE_OWNER);
	assert_err(store_writable(w.store, &e), ERR_CORRUPT, &e);
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	assert_int_equal(faults(false), 1);
	assert_non_null(strstr(said.buf, "does not fit its checksum"));
	assert_int_equal(faults(true), 1);
	assert_non_null(strstr(said.buf, "tasks.log.damaged-"));
	assert_int_equal(faults(false), 0);
	/* Processes that run see it: task 1 is as before the lost change, the others are whole. */
	assert_ok(store_catch_up(other, &e), &e);
	assert_ok(store_writable(other, &e), &e);
	assert_ok(store_get(other, &w.a, 1, &t, &e), &e);
	assert_true(t.result == NULL || *t.result == '\0');
	assert_err(store_get(other, &w.a, 2, &t, &e), ERR_NOT_FOUND, &e);
	assert_ok(store_get(other, &w.a, 3, &t, &e), &e);
	assert_int_equal(t.artifact_count, 1);
	assert_int_equal(create("four"), 4);
	store_close(other);
	/* Nothing is thrown away. */
	struct strbuf all = world_picture(&w, "state");
	static const char prefix[] = "state/tasks.log.damaged-";
	const char *aside = memmem(all.buf, all.len, prefix, sizeof prefix - 1); /* the reserve is full of NUL */
	assert_non_null(aside);
	const char *path = arena_strndup(&w.a, aside, strcspn(aside, "\n"));
	assert_memory_equal(read_file(path, &len), old, old_len);
	assert_int_equal(len, old_len);
	strbuf_release(&all);
}

/* Its first line is gone: it cannot be shown, but its id is not given again. */
static void ids_of_lost_lines_stay_used(void **state)
{
	size_t len;

	(void)state;
	create("one");
	create("two");
	char *log = read_file("state/tasks.log", &len), *p = strstr(log, "\"two\"");
	p[1] = 'T';
	world_write(&w, "state/tasks.log", log, len);
	assert_int_equal(faults(true), 2); /* the line, and the one that then has no beginning */
	world_reopen(&w, STORE_OWNER);
	assert_int_equal(create("three"), 3);
	assert_int_equal(faults(false), 0);
}

static void torn_tail_is_told_and_cut(void **state)
{
	struct errinfo e;
	size_t len;

	(void)state;
	make_some();
	char *log = read_file("state/tasks.log", &len);
	world_write(&w, "state/tasks.log", log, len - 7);
	assert_int_equal(faults(false), 1);
	assert_non_null(strstr(said.buf, "behind the last whole line"));
	assert_int_equal(faults(true), 1);
	assert_int_equal(faults(false), 0);
	world_reopen(&w, STORE_OWNER);
	assert_ok(store_writable(w.store, &e), &e);
}


static void age(const char *name)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	assert_int_equal(utimensat(AT_FDCWD, world_path(&w, name), old, 0), 0);
}

static void files_that_do_not_agree_are_told(void **state)
{
	(void)state;
	make_some();
	write_artifact(3, "stray");
	write_artifact(2, "left");
	write_artifact(9, "under-way");
	assert_int_equal(faults(false), 0); /* just written: an upload may be under way */
	age("state/artifacts/3/stray");
	age("state/artifacts/2/left");
	assert_int_equal(unlink(world_path(&w, "state/artifacts/3/changes.patch")), 0);
	world_write(&w, "state/settings.json", "[]", 2);
	assert_int_equal(faults(false), 4);
	assert_non_null(strstr(said.buf, "artifacts/3/stray: no task lists it"));
	assert_non_null(strstr(said.buf, "artifacts/2/left: no task lists it"));
	assert_non_null(strstr(said.buf, "artifacts/3/changes.patch is missing"));
	assert_non_null(strstr(said.buf, "settings.json is no JSON object"));
	assert_int_equal(faults(true), 4);
	assert_false(world_has(&w, "state/artifacts/2"));
	assert_true(world_has(&w, "state/artifacts/9/under-way"));
	assert_int_equal(faults(false), 1); /* what is missing stays missing */
}

/* ---- backup, restore ---- */
static int keep(void *arg, const char *p, size_t len)
{
	strbuf_add(arg, p, len);
	return 0;
}

static const char *contents(void)
{
	struct strbuf text;
	struct errinfo e;

	strbuf_init(&text);
	assert_ok(store_catch_up(w.store, &e), &e);
	assert_ok(store_export(w.store, keep, &text, &e), &e);
	const char *out = arena_strdup(&w.a, text.buf);
	strbuf_release(&text);
	return out;
}

static void backup_to(const char *dir)
{
	struct errinfo e;

	assert_int_equal(mkdir(world_path(&w, dir), 0700), 0);
	assert_ok(transfer_export(w.var, world_path(&w, dir), &e), &e);
}

/* Without next_id, which may only grow. */
static const char *tasks_of(const char *all)
{
	return arena_strndup(&w.a, all, (size_t)(strstr(all, "\"next_id\"") - all));
}

static void what_comes_back_is_equal(void **state)
{
	struct errinfo e;
	const char *key_before, *key_after;

	(void)state;
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &key_before, &e), &e);
	make_some();
	write_doc("settings.json", "{\"n\":1}");
	struct task t = task_full(&w.a);
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	write_artifact(4, "changes.patch");
	const char *before = contents();
	backup_to("state/out");
	int64_t version = store_version(w.store);
	/* Life goes on … */
	assert_int_equal(create("later"), 5);
	change(1, set_result, "other");
	write_doc("settings.json", "{\"n\":2}");
	write_doc("agents.json", "{}");
	artifact_remove(w.var, 3, "changes.patch");
	artifact_remove(w.var, 4, "changes.patch"); /* an unpacked file has one name */
	/* … and is wound back. */
	store_close(w.store);
	w.store = NULL;
	assert_ok(transfer_import(w.var, "out", &e), &e);
	world_reopen(&w, STORE_OWNER);
	assert_string_equal(tasks_of(contents()), tasks_of(before));
	size_t len;
	assert_string_equal(read_file("state/settings.json", &len), "{\"n\":1}");
	assert_false(world_has(&w, "state/agents.json"));
	assert_true(world_has(&w, "state/artifacts/3/changes.patch"));
	assert_int_equal(faults(false), 0);
	assert_int_equal(create("new"), 6); /* not 5, which was given before */
	assert_true(store_version(w.store) > version);
	assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &key_after, &e), &e);
	assert_string_not_equal(key_before, key_after);
	struct strbuf all = world_picture(&w, "state");
	assert_non_null(memmem(all.buf, all.len, "state/replaced-", 15));
	assert_non_null(memmem(all.buf, all.len, "{\"n\":2}", 7));
	strbuf_release(&all);
}

/* Cut off after each of its renames: the next start goes on, and old and new never mix. */
static void import_that_is_cut_off_goes_on(void **state)
{
	struct errinfo e;

	(void)state;
	make_some();
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	write_doc("settings.json", "{\"n\":1}");
	const char *before = tasks_of(contents());
	for (int stop = 0; stop < 8; stop++) {
		const char *dir = arena_printf(&w.a, "state/out%d", stop);
		backup_to(dir);
		create("later");
		write_doc("agents.json", "{}");
		store_close(w.store);
		w.store = NULL;
		/* As far as it came. */
		const char *ready = world_path(&w, "state/restore.ready"), *placing = world_path(&w, "state/restore.placing");
		static const char *const olds[] = { "tasks.log", "settings.json", "agents.json", "artifacts" };
		assert_int_equal(rename(world_path(&w, dir), ready), 0);
		assert_int_equal(mkdir(world_path(&w, "state/restore.ready/old"), 0700), 0);
		for (int i = 0; i < (stop < 4 ? stop : 4); i++)
			assert_int_equal(rename(world_path(&w, arena_printf(&w.a, "state/%s", olds[i])),
						world_path(&w, arena_printf(&w.a, "state/restore.ready/old/%s", olds[i]))),
					 0);
		if (stop >= 4)
			assert_int_equal(rename(ready, placing), 0);
		static const char *const news[] = { "tasks.log", "settings.json", "artifacts" };
		for (int i = 0; i < stop - 4; i++)
			assert_int_equal(rename(world_path(&w, arena_printf(&w.a, "state/restore.placing/%s", news[i])),
						world_path(&w, arena_printf(&w.a, "state/%s", news[i]))),
					 0);
		world_reopen(&w, STORE_OWNER);
		assert_string_equal(tasks_of(contents()), before);
		assert_false(world_has(&w, "state/agents.json"));
		assert_true(world_has(&w, "state/artifacts/3/changes.patch"));
		assert_false(world_has(&w, "state/restore.ready"));
		assert_false(world_has(&w, "state/restore.placing"));
		/* the next one gets a name of its own: it is made of the time in seconds */
		struct strbuf all = world_picture(&w, "state");
		const char *aside = strstr(all.buf, "state/replaced-");
		assert_non_null(aside);
		const char *path = world_path(&w, arena_strndup(&w.a, aside, strcspn(aside, "\n")));
		assert_int_equal(rename(path, world_path(&w, arena_printf(&w.a, "kept%d", stop))), 0);
		strbuf_release(&all);
	}
}

static void broken_backups_change_nothing(void **state)
{
	struct errinfo e;
	size_t len;

	(void)state;
	make_some();
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	static const char *const breaks[] = { "flipped", "no log", "a link", "a stranger", "no json", "empty log" };
	for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
		const char *dir = arena_printf(&w.a, "state/out%zu", i);
		backup_to(dir);
		const char *log = arena_printf(&w.a, "%s/tasks.log", dir);
		char *text = read_file(log, &len);
		if (i == 0)
			*strstr(text, "three") = 'T';
		if (i == 0 || i == 5)
			world_write(&w, log, text, i == 5 ? 0 : len);
		if (i == 1)
			assert_int_equal(unlink(world_path(&w, log)), 0);
		if (i == 2)
			assert_int_equal(symlink("/etc/passwd", world_path(&w, arena_printf(&w.a, "%s/keys.json", dir))), 0);
		if (i == 3)
			world_write(&w, arena_printf(&w.a, "%s/lock", dir), "", 0);
		if (i == 4)
			world_write(&w, arena_printf(&w.a, "%s/keys.json", dir), "{", 1);
		const char *before = contents(), *key, *same;
		assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &key, &e), &e);
		assert_err(transfer_import(w.var, arena_printf(&w.a, "out%zu", i), &e), ERR_CORRUPT, &e);
		world_reopen(&w, STORE_OWNER);
		assert_string_equal(contents(), before);
		assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &same, &e), &e);
		assert_string_equal(key, same);
	}
}

int main(void)
{
#define T(name, fn) { name, fn, setup, teardown, NULL }
	static const struct CMUnitTest tests[] = {
		T("what is sound has no faults", what_is_sound_has_no_faults),
		T("any flipped bit is found", any_flipped_byte_is_found),
		T("a repair keeps what is good", repair_keeps_what_is_good),
		T("ids of lost lines stay used", ids_of_lost_lines_stay_used),
		T("a torn tail is told and cut", torn_tail_is_told_and_cut),
		T("files that do not agree are told", files_that_do_not_agree_are_told),
		T("what comes back is equal", what_comes_back_is_equal),
		T("an import that is cut off goes on", import_that_is_cut_off_goes_on),
		T("broken backups change nothing", broken_backups_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
