/*
 * The power goes, at every moment of a history.
 *
 * While the store works, every write, truncation, sync, creation, rename, link and removal below state/ is noted down.
 * Then, for every point of that list, disks are made as a power cut at that moment may leave them, and the store is
 * opened on each.  What is legal:
 *   - what a file held at its last sync is there; each later write or truncation happened or did not, in any combination;
 *     one write may be torn at any byte; where a write is missing before one that happened there are zeros;
 *   - what a directory held at its last sync is there; each later creation, rename, link or removal happened or did not,
 *     in any combination.
 * What must hold: the store opens and takes changes; every task is, to the byte, as some change left it, and not an older
 * one than was acknowledged; the sum of tokens is the tasks'; documents are whole and not older than acknowledged; no id
 * comes twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/tasks.h"
#include "../unit/world.h"
#include "core/log.h"
#include "model/transition.h"
#include "store/document.h"

enum { STORES = 3, TASKS = 400, FILES = 400, OPS = 20000, STATES_MIN = 10000 };

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
static const char *state_dir;

static uint64_t seed = 20261123;

static uint32_t any(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* ---- what was done to the disk ---- */
enum kind { WRITE, TRUNCATE, SYNC, CREATE, RENAME, LINK, UNLINK, SYNC_DIR };

struct op {
	enum kind kind;
	int file;	/* WRITE, TRUNCATE, SYNC, CREATE, LINK, RENAME: index of the file */
	int64_t off;	/* WRITE: where; TRUNCATE: to what size */
	char *data;
	size_t len;
	char from[64], to[64];
};

static struct {
	bool on;
	struct op ops[OPS];
	int count;
	ino_t inodes[FILES]; /* of files seen, in order */
	int files;
} trace;

static bool traced_name(const char *name)
{
	size_t len = strlen(name);

	/* Not the truth: the lock, the reserve, the copy for other programs (it is written through stdio). */
	return strcmp(name, "lock") != 0 && strcmp(name, "reserve") != 0 && strcmp(name, "state.json.new") != 0 &&
	       strchr(name, '/') == NULL && len > 3 && (len < 9 || strcmp(name + len - 9, "read_only") != 0);
}

static bool in_state(int dirfd)
{
	struct stat a, b;

	return trace.on && fstat(dirfd, &a) == 0 && stat(state_dir, &b) == 0 && a.st_ino == b.st_ino;
}

static int file_of(int fd)
{
	struct stat st;

	if (!trace.on || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	for (int i = trace.files - 1; i >= 0; i--) { /* an inode number may come again: the newest file has it */
		if (trace.inodes[i] == st.st_ino)
			return i;
	}
	return -1;
}

static int file_named(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	for (int i = trace.files - 1; i >= 0; i--) {
		if (trace.inodes[i] == st.st_ino)
			return i;
	}
	return -1;
}

static struct op *note(enum kind kind, int file)
{
	if (trace.count == OPS)
		abort();
	struct op *o = &trace.ops[trace.count++];
	*o = (struct op){ .kind = kind, .file = file };
	return o;
}

static void set_name(char to[64], const char *name)
{
	size_t len = strlen(name);

	if (len >= 64)
		abort();
	memcpy(to, name, len + 1);
}

int __real_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	bool ours = in_state(dirfd) && (flags & O_CREAT) != 0 && traced_name(name);
	bool there = ours && faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int fd = __real_openat(dirfd, name, flags, mode);
	if (fd < 0 || !ours)
		return fd;
	if (!there) {
		struct stat st;
		if (fstat(fd, &st) < 0 || trace.files == FILES)
			abort();
		trace.inodes[trace.files] = st.st_ino;
		set_name(note(CREATE, trace.files)->to, name);
		trace.files++;
	} else if ((flags & O_TRUNC) != 0) {
		note(TRUNCATE, file_of(fd))->off = 0;
	}
	return fd;
}

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	int file = file_of(fd);
	struct stat st;

	if (file >= 0) {
		bool append = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
		struct op *o = note(WRITE, file);
		if (fstat(fd, &st) < 0)
			abort();
		o->off = append ? st.st_size : lseek(fd, 0, SEEK_CUR);
		o->len = len;
		o->data = malloc(len + 1);
		memcpy(o->data, p, len);
	}
	return __real_write(fd, p, len);
}

static void meanwhile(void);

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	meanwhile(); /* the lock is not held: others write, and may be quicker */
	if (file_of(fd) >= 0)
		note(SYNC, file_of(fd));
	return __real_fdatasync(fd);
}

static bool packing; /* a copy for a compaction is being made: its first sync is outside the lock */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat st;

	if (packing) {
		packing = false;
		meanwhile();
	}
	if (file_of(fd) >= 0)
		note(SYNC, file_of(fd));
	else if (trace.on && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && in_state(fd))
		note(SYNC_DIR, -1);
	return __real_fsync(fd);
}

int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len)
{
	if (file_of(fd) >= 0)
		note(TRUNCATE, file_of(fd))->off = len;
	return __real_ftruncate(fd, len);
}

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (in_state(from_dir) && traced_name(from) && file_named(from_dir, from) >= 0) {
		struct op *o = note(RENAME, file_named(from_dir, from));
		set_name(o->from, from);
		set_name(o->to, to);
	}
	return __real_renameat(from_dir, from, to_dir, to);
}

int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (in_state(from_dir) && faccessat(to_dir, to, F_OK, 0) < 0)
		set_name(note(LINK, file_named(from_dir, from))->to, to);
	return __real_linkat(from_dir, from, to_dir, to, flags);
}

int __real_unlinkat(int dirfd, const char *name, int flags);
int __wrap_unlinkat(int dirfd, const char *name, int flags);
int __wrap_unlinkat(int dirfd, const char *name, int flags)
{
	if (in_state(dirfd) && traced_name(name) && faccessat(dirfd, name, F_OK, 0) == 0)
		set_name(note(UNLINK, -1)->from, name);
	return __real_unlinkat(dirfd, name, flags);
}

/* ---- what is known of each thing: its versions, and from which operation on each is acknowledged ---- */
struct version {
	char *text; /* NULL: it is not there (any more) */
	int acked;  /* length of the trace when the store had answered; OPS: never */
};

struct thing {
	struct version *v;
	int count;
};

static struct thing tasks[TASKS + 1], doc;
static int64_t ids_given; /* highest */

/* The lock orders the writes, but answers come in another order: a version is begun in the order of the log. */
static int begin(struct thing *t, const char *text)
{
	t->v = realloc(t->v, sizeof *t->v * (size_t)(t->count + 1));
	t->v[t->count] = (struct version){ text != NULL ? strdup(text) : NULL, OPS };
	return t->count++;
}

static void acknowledged(struct thing *t, int version)
{
	t->v[version].acked = trace.count;
}

/* The newest version that was acknowledged when the trace had n operations; -1: none. */
static int newest_acked(const struct thing *t, int n)
{
	int newest = -1;

	for (int i = 0; i < t->count; i++) {
		if (t->v[i].acked <= n)
			newest = i;
	}
	return newest;
}

/* ---- the history ---- */
static struct store *stores[STORES];
static int depth;
static int64_t now = 1000;

struct changing {
	int64_t id;
	int version;
};

static enum err anything(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	const struct report r = { .tokens = t->tokens + (int64_t)any(1000), .result = arena_printf(a, "%u", any(1 << 20)) };
	const struct run_input in = { .agent = "pi",
				      .model = "m",
				      .dispatch_id = arena_printf(a, "%016x%016x", any(1 << 30), any(1 << 30)),
				      .nonce = arena_printf(a, "%u", any(1 << 30)),
				      .expires_at = now + 1000 };
	struct changing *c = arg;
	enum err rc;

	(void)skip;
	if (t->status == STATUS_QUEUED)
		rc = task_run(t, a, &in, now, e);
	else if (t->status != STATUS_ACTIVE)
		rc = task_retry(t, now, e);
	else if (any(3) != 0)
		rc = task_update(t, a, &r, now, e);
	else
		rc = any(2) != 0 ? task_done(t, a, &r, now, e) : task_handoff(t, "go on", now, e);
	if (rc == ERR_OK)
		c->version = begin(&tasks[c->id], task_text(a, t));
	return rc;
}

static void do_create(struct store *s)
{
	static char prompt[3000];
	struct arena a = { 0 };
	struct errinfo e;

	memset(prompt, 'p', sizeof prompt);
	prompt[any(4) == 0 ? 2500 : 20 + any(100)] = '\0';
	struct task t = { .prompt = prompt, .created = now, .updated = now, .id = ids_given + 1 };
	if (any(4) == 0)
		t.idempotency_key = arena_printf(&a, "key %d", (int)any(1000000));
	if (t.id > TASKS)
		return;
	ids_given++;
	int version = begin(&tasks[t.id], task_text(&a, &t));
	int64_t id = t.id;
	assert_ok(store_create(s, &a, &t, &e), &e);
	assert_int_equal(t.id, id); /* within its answer others may have been given the next ones */
	acknowledged(&tasks[id], version);
	arena_reset(&a);
}

static int64_t a_living_task(struct store *s)
{
	int64_t id = store_next_live(s, (int64_t)any((uint32_t)ids_given + 1));

	return id != 0 ? id : store_next_live(s, 0);
}

static void do_change(struct store *s)
{
	struct arena a = { 0 };
	struct errinfo e;
	struct changing c = { .id = a_living_task(s) };

	if (c.id != 0) {
		assert_ok(store_change(s, &a, c.id, (struct change){ anything, &c }, NULL, &e), &e);
		acknowledged(&tasks[c.id], c.version);
	}
	arena_reset(&a);
}

static void do_delete(struct store *s)
{
	struct arena a = { 0 };
	struct errinfo e;
	int64_t id = a_living_task(s);

	if (id != 0 && store_catch_up(s, &e) == ERR_OK && !store_is_deleted(s, id)) {
		int version = begin(&tasks[id], NULL);
		assert_ok(store_delete(s, &a, id, now, NULL, &e), &e);
		acknowledged(&tasks[id], version);
	}
	arena_reset(&a);
}

static enum err write_doc(const struct json_object *old, struct strbuf *out, void *arg, struct errinfo *e)
{
	(void)old;
	(void)e;
	strbuf_printf(out, "{\"n\":%lld}", (long long)now);
	*(int *)arg = begin(&doc, out->buf);
	return ERR_OK;
}

static void do_document(void)
{
	struct arena a = { 0 };
	struct errinfo e;
	int version;

	assert_ok(document_change(w.var, "settings.json", &a, write_doc, &version, &e), &e);
	acknowledged(&doc, version);
	arena_reset(&a);
}

static void one_change(struct store *s)
{
	struct errinfo e;

	now++;
	assert_ok(store_catch_up(s, &e), &e);
	switch (any(10)) {
	case 0:
	case 1:
	case 2:
		do_create(s);
		break;
	case 3:
		do_delete(s);
		break;
	case 4:
		do_document();
		break;
	default:
		do_change(s);
	}
}

/* Another process, between the write of this one and its sync. */
static void meanwhile(void)
{
	if (!trace.on || depth >= STORES - 1 || any(3) != 0)
		return;
	depth++;
	one_change(stores[depth]);
	depth--;
}

static void compact(void)
{
	struct errinfo e;

	packing = true;
	assert_ok(store_compact(stores[0], &e), &e);
	packing = false;
}

/* ---- disks after a power cut ---- */
struct content {
	char *data;
	size_t len, room;
};

static struct {
	struct content files[FILES];
	struct {
		char name[64];
		int file;
	} names[64];
	int name_count;
} disk;

static void resize(struct content *c, size_t len)
{
	if (len > c->room) {
		c->room = 2 * len;
		c->data = realloc(c->data, c->room);
	}
	if (len > c->len)
		memset(c->data + c->len, 0, len - c->len);
	c->len = len;
}

static void apply_write(const struct op *o, size_t from, size_t to)
{
	struct content *c = &disk.files[o->file];

	if (from >= to)
		return;
	if ((size_t)o->off + to > c->len)
		resize(c, (size_t)o->off + to);
	memcpy(c->data + o->off + from, o->data + from, to - from);
}

static void set_entry(const char *name, int file)
{
	int i = 0;

	while (i < disk.name_count && strcmp(disk.names[i].name, name) != 0)
		i++;
	if (file < 0) {
		if (i < disk.name_count)
			disk.names[i] = disk.names[--disk.name_count];
		return;
	}
	if (i == disk.name_count)
		disk.name_count++;
	set_name(disk.names[i].name, name);
	disk.names[i].file = file;
}

static void apply_name(const struct op *o)
{
	if (o->kind == CREATE || o->kind == LINK)
		set_entry(o->to, o->file);
	else if (o->kind == RENAME) {
		set_entry(o->from, -1);
		set_entry(o->to, o->file);
	} else if (o->kind == UNLINK)
		set_entry(o->from, -1);
}

/* How operations that were not synced fare: all lost, all kept, or each by chance. */
enum fate { LOST, KEPT, PREFIX, CHANCE };

static bool is_name(const struct op *o)
{
	return o->kind == CREATE || o->kind == RENAME || o->kind == LINK || o->kind == UNLINK;
}

/* The last sync that covers operation i, before the cut at n? */
static bool is_synced(int i, int n)
{
	const struct op *o = &trace.ops[i];

	for (int k = i + 1; k < n; k++) {
		const struct op *s = &trace.ops[k];
		if (is_name(o) ? s->kind == SYNC_DIR : s->kind == SYNC && s->file == o->file)
			return true;
	}
	return false;
}

struct first { /* what the disk held when the trace began */
	char *data;
	size_t len;
} first[FILES];
static int first_files;
static char first_names[FILES][64];

static void apply_torn(const struct op *o)
{
	size_t cut = any((uint32_t)o->len + 1);

	if (any(4) == 0) { /* its end came, its beginning did not */
		if ((size_t)o->off + o->len > disk.files[o->file].len)
			resize(&disk.files[o->file], (size_t)o->off + o->len);
		apply_write(o, cut, o->len);
	} else {
		apply_write(o, 0, cut);
	}
}

static void make_disk(int n, enum fate fate, const bool *synced)
{
	int prefix = fate == PREFIX ? (int)any((uint32_t)n + 1) : n; /* operations begun later are lost */

	for (int i = 0; i < trace.files; i++)
		disk.files[i].len = 0;
	disk.name_count = 0;
	for (int i = 0; i < first_files; i++) {
		resize(&disk.files[i], first[i].len);
		memcpy(disk.files[i].data, first[i].data, first[i].len);
		set_entry(first_names[i], i);
	}
	for (int i = 0; i < n; i++) {
		const struct op *o = &trace.ops[i];
		bool kept = synced[i] || fate == KEPT || (fate == PREFIX && i < prefix) || (fate == CHANCE && any(2) != 0);
		if (is_name(o)) {
			if (kept)
				apply_name(o);
		} else if (o->kind == TRUNCATE) {
			if (kept)
				resize(&disk.files[o->file], (size_t)o->off);
		} else if (o->kind == WRITE) {
			if (!synced[i] && ((fate == PREFIX && i == prefix) || (fate == CHANCE && any(3) == 0)))
				apply_torn(o);
			else if (kept)
				apply_write(o, 0, o->len);
		}
	}
}

static void empty_dir(const char *dir)
{
	struct dirent **all;
	struct arena a = { 0 };
	int n = scandir(dir, &all, NULL, NULL);

	for (int i = 0; i < n; i++) {
		if (all[i]->d_name[0] != '.' && strcmp(all[i]->d_name, "reserve") != 0)
			(void)unlink(arena_printf(&a, "%s/%s", dir, all[i]->d_name));
		free(all[i]);
	}
	free(all);
	arena_reset(&a);
}

static void put_disk(struct world *to)
{
	struct arena a = { 0 };

	empty_dir(arena_printf(&a, "%s/state", to->var));
	for (int i = 0; i < disk.name_count; i++) {
		const struct content *c = &disk.files[disk.names[i].file];
		world_write(to, arena_printf(&a, "state/%s", disk.names[i].name), c->data, c->len);
	}
	arena_reset(&a);
}

/* ---- what must hold ---- */
static void assert_version(const struct thing *t, const char *text, int n, const char *what, int64_t id)
{
	int oldest = newest_acked(t, n);

	if (oldest < 0 && text == NULL)
		return; /* nothing was promised, nothing is there */
	for (int i = oldest < 0 ? 0 : oldest; i < t->count; i++) {
		const char *v = t->v[i].text;
		if (v == text || (v != NULL && text != NULL && strcmp(v, text) == 0))
			return;
	}
	fail_msg("cut after operation %d: %s %lld is as no change left it, or older than acknowledged (version %d): %s", n, what,
		 (long long)id, oldest, text != NULL ? text : "(not there)");
}

static void judge(struct world *to, int n)
{
	struct store *s;
	struct errinfo e;
	struct arena a = { 0 };
	int64_t tokens = 0, highest = 0;

	enum err rc = store_open(&s, to->var, STORE_OWNER, &e);
	if (rc != ERR_OK || (rc = store_writable(s, &e)) != ERR_OK)
		fail_msg("cut after operation %d: %s", n, e.what);
	for (int64_t id = 1; id <= ids_given; id++) {
		struct task t;
		const char *text = store_get(s, &a, id, &t, &e) == ERR_OK ? task_text(&a, &t) : NULL;
		assert_version(&tasks[id], text, n, "task", id);
		tokens += text != NULL ? t.tokens : 0;
		if (newest_acked(&tasks[id], n) >= 0)
			highest = id;
	}
	assert_int_equal(store_counts(s).tokens, tokens);
	assert_true(store_counts(s).next_id > highest);
	size_t len;
	const char *text = world_has(to, "state/settings.json") ? world_read(to, "state/settings.json", &len) : NULL;
	assert_version(&doc, text, n, "document", 0);
	if (any(16) == 0) { /* and life goes on */
		struct task t = { .prompt = "after", .created = 1 };
		assert_ok(store_create(s, &a, &t, &e), &e);
		assert_true(t.id > highest);
	}
	store_close(s);
	arena_reset(&a);
	arena_reset(&to->a);
}

static void cut_everywhere(int states_min)
{
	struct world after;
	bool *synced = malloc(sizeof *synced * (size_t)(trace.count + 1));
	int each = states_min / trace.count + 1, states = 0;

	trace.on = false;
	world_make(&after);
	for (int n = 0; n <= trace.count; n++) {
		for (int i = 0; i < n; i++)
			synced[i] = is_synced(i, n);
		for (int k = 0; k < (each > 3 ? each : 3); k++) {
			after.var = after.dir.path;
			make_disk(n, k < 3 ? (enum fate)k : any(3) == 0 ? PREFIX : CHANCE, synced);
			put_disk(&after);
			judge(&after, n);
			states++;
		}
	}
	free(synced);
	world_close(&after);
	print_message("             %d operations, %d disks\n", trace.count, states);
	assert_true(states >= states_min);
}

/* ---- tests ---- */
/* What lies in state/ now is durable. */
static void begin_trace(void)
{
	struct dirent **all;
	struct errinfo e;
	struct stat st;
	char *text;
	int n;

	state_dir = strdup(world_path(&w, "state"));
	trace.count = trace.files = first_files = 0;
	n = scandir(state_dir, &all, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = all[i]->d_name;
		if (name[0] != '.' && traced_name(name)) {
			size_t len;
			const char *path = arena_printf(&w.a, "%s/%s", state_dir, name);
			assert_ok(file_read(AT_FDCWD, path, 1 << 20, &w.a, &text, &len, &e), &e);
			assert_int_equal(stat(path, &st), 0);
			trace.inodes[first_files] = st.st_ino;
			set_name(first_names[first_files], name);
			first[first_files].data = memcpy(malloc(len + 1), text, len);
			first[first_files++].len = len;
		}
		free(all[i]);
	}
	free(all);
	trace.files = first_files;
	trace.on = true;
}

static void forget(void)
{
	for (int i = 0; i <= TASKS; i++)
		tasks[i].count = 0;
	doc.count = 0;
	ids_given = 0;
	for (int i = 0; i < trace.count; i++)
		free(trace.ops[i].data);
}

static void history_with_compactions(void **state)
{
	struct errinfo e;

	(void)state;
	forget();
	world_make(&w);
	begin_trace();
	for (int i = 0; i < STORES; i++)
		assert_ok(store_open(&stores[i], w.var, i == 0 ? STORE_OWNER : STORE_WRITER, &e), &e);
	for (int i = 0; i < 150; i++) {
		one_change(stores[0]);
		if (i % 25 == 24)
			compact();
		if (i == 70) { /* the pool starts again */
			store_close(stores[0]);
			assert_ok(store_open(&stores[0], w.var, STORE_OWNER, &e), &e);
		}
	}
	for (int i = 0; i < STORES; i++)
		store_close(stores[i]);
	cut_everywhere(STATES_MIN);
	world_close(&w);
}

/* A state of chomp's first version is adopted: whole or not at all, and then again. */
static void adoption(void **state)
{
	struct errinfo e;
	struct store *s;
	static const char old[] = "{\"tasks\":[{\"id\":\"1\",\"prompt\":\"old\",\"status\":\"done\",\"tokens\":7,\"created\":"
				  "\"2026-01-01T00:00:00Z\",\"mine\":1,\"sessions\":[{\"id\":\"s1\",\"tokens\":7}]},{\"id\":\"4\",\"prompt\":\"older\","
				  "\"status\":\"queued\",\"created\":\"2026-01-01T00:00:00Z\"}],\"next_id\":9,\"theirs\":2}";

	(void)state;
	forget();
	/* What comes of it, once without a power cut. */
	world_make(&w);
	world_write(&w, "state/state.json", old, sizeof old - 1);
	assert_ok(store_open(&s, w.var, STORE_OWNER, &e), &e);
	for (int64_t id = 1; id <= 4; id += 3) {
		struct task t;
		assert_ok(store_get(s, &w.a, id, &t, &e), &e);
		tasks[id].count = 0;
		acknowledged(&tasks[id], begin(&tasks[id], task_text(&w.a, &t)));
		tasks[id].v[0].acked = 0;
	}
	ids_given = 8;
	store_close(s);
	world_close(&w);
	world_make(&w);
	world_write(&w, "state/state.json", old, sizeof old - 1);
	begin_trace();
	assert_ok(store_open(&s, w.var, STORE_OWNER, &e), &e);
	stores[0] = s;
	depth = STORES;
	one_change(s);
	depth = 0;
	store_close(s);
	cut_everywhere(1000);
	world_close(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "a history with compactions, cut everywhere", history_with_compactions, NULL, NULL, NULL },
		{ "an adoption, cut everywhere", adoption, NULL, NULL, NULL },
	};
	const char *other = getenv("CHOMP_TEST_SEED");

	if (other != NULL)
		seed = strtoull(other, NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
