/*
 * An import has one moment from which it counts: the checked files get the name READY.  From there each step is a rename
 * that can be repeated, and the next start of the pool does so (transfer_resume): first everything old goes to
 * READY/old/, then READY becomes PLACING, then its files become the state, then `old` is put aside.
 */
#include "store/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "store/document.h"
#include "store/inside.h"
#include "store/secret.h"

#define READY "restore.ready"
#define PLACING "restore.placing"
#define OLD "old"

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* What else lies in state/ is the lock, the reserve, the log (which goes its own way), and what is left of accidents. */
static bool is_document(const char *name)
{
	return ends_with(name, ".json") || strcmp(name, "state.json.adopted") == 0;
}

/* The names in a directory, in arena memory: what is renamed while a directory is read may be seen twice. */
static enum err names_in(int dirfd, const char *dir, struct arena *a, const char ***out, size_t *count, struct errinfo *e)
{
	int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t room = 64;

	*count = 0;
	*out = arena_alloc(a, room * sizeof **out);
	if (d == NULL) {
		int why = errno;
		if (fd >= 0)
			close(fd);
		return why == ENOENT ? ERR_OK : err_set(e, ERR_IO, why, "open %s", dir);
	}
	while ((entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (*count == room) {
			const char **more = arena_alloc(a, 2 * room * sizeof *more);
			memcpy(more, *out, room * sizeof *more);
			*out = more;
			room *= 2;
		}
		(*out)[(*count)++] = arena_strdup(a, entry->d_name);
	}
	closedir(d);
	return ERR_OK;
}

/* ---- out ---- */
static enum err copy_file(int from_dir, int to_dir, const char *name, struct errinfo *e)
{
	struct arena a = { 0 };
	char *text;
	size_t len;
	enum err rc = file_read(from_dir, name, SIZE_MAX, &a, &text, &len, e);

	if (rc == ERR_OK)
		rc = file_replace(to_dir, name, text, len, 0600, e);
	arena_reset(&a);
	return rc;
}

/* Artifacts are never changed in place, only replaced: a second name is as good as a copy. */
static enum err link_or_copy(int from_dir, int to_dir, const char *name, struct errinfo *e)
{
	if (linkat(from_dir, name, to_dir, name, 0) == 0)
		return ERR_OK;
	if (errno != EXDEV && errno != EMLINK && errno != EPERM)
		return err_set(e, ERR_IO, errno, "link %s", name);
	return copy_file(from_dir, to_dir, name, e);
}

static enum err open_dir(int at, const char *name, bool make, int *fd, struct errinfo *e)
{
	if (make && make_dir(at, name, 0700) < 0)
		return err_set(e, ERR_IO, errno, "make %s", name);
	*fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *fd >= 0 ? ERR_OK : err_set(e, ERR_IO, errno, "open %s", name);
}

static enum err link_artifacts_of(int from, int to, const char *task, struct errinfo *e)
{
	struct arena a = { 0 };
	const char **names;
	size_t count;
	int src = -1, dst = -1;
	enum err rc = names_in(from, task, &a, &names, &count, e);

	if (rc == ERR_OK && count > 0 && (rc = open_dir(from, task, false, &src, e)) == ERR_OK)
		rc = open_dir(to, task, true, &dst, e);
	for (size_t i = 0; i < count && rc == ERR_OK; i++) {
		if (names[i][0] != '.') /* an upload under way */
			rc = link_or_copy(src, dst, names[i], e);
	}
	if (src >= 0)
		close(src);
	if (dst >= 0)
		close(dst);
	arena_reset(&a);
	return rc;
}

static enum err link_artifacts(int state, int dest, struct errinfo *e)
{
	struct arena a = { 0 };
	const char **names;
	size_t count;
	int src = -1, dst = -1;
	enum err rc = names_in(state, "artifacts", &a, &names, &count, e);

	if (rc == ERR_OK && count > 0 && (rc = open_dir(state, "artifacts", false, &src, e)) == ERR_OK)
		rc = open_dir(dest, "artifacts", true, &dst, e);
	for (size_t i = 0; i < count && rc == ERR_OK; i++)
		rc = link_artifacts_of(src, dst, names[i], e);
	if (src >= 0)
		close(src);
	if (dst >= 0)
		close(dst);
	arena_reset(&a);
	return rc;
}

static enum err copy_documents(int state, int dest, struct errinfo *e)
{
	struct arena a = { 0 };
	const char **names;
	size_t count;
	enum err rc = names_in(state, ".", &a, &names, &count, e);

	for (size_t i = 0; i < count && rc == ERR_OK; i++) {
		/* state.json is a copy of the log, and would be adopted where the log is lost */
		if (is_document(names[i]) && strcmp(names[i], "state.json") != 0)
			rc = copy_file(state, dest, names[i], e);
	}
	arena_reset(&a);
	return rc;
}

static enum err export_to(struct store *s, int dest, struct errinfo *e)
{
	enum err rc;
	int fd;

	if ((rc = lock_take(&s->lock, e)) != ERR_OK)
		return rc;
	if ((rc = log_catch_up(&s->log, e)) == ERR_OK && (rc = copy_documents(s->dirfd, dest, e)) == ERR_OK)
		rc = link_artifacts(s->dirfd, dest, e);
	lock_drop(&s->lock);
	if (rc != ERR_OK)
		return rc;
	/* The index stays at that moment, and the file behind it is only appended to. */
	fd = openat(dest, "tasks.log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, errno, "make tasks.log");
	rc = log_copy_live(&s->log, fd, s->log.index.next_id, s->log.index.gen, e);
	if (rc == ERR_OK && fsync(fd) < 0)
		rc = err_set(e, ERR_IO, errno, "sync tasks.log");
	close(fd);
	return rc;
}

enum err transfer_export(const char *var, const char *dest, struct errinfo *e)
{
	struct store *s;
	int fd;
	enum err rc = open_dir(AT_FDCWD, dest, false, &fd, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = store_open(&s, var, STORE_WRITER, e)) == ERR_OK) {
		rc = export_to(s, fd, e);
		store_close(s);
	}
	close(fd);
	return rc;
}

/* ---- in ---- */
/* Nothing but files and directories, two deep: a backup has no links, and no names that lead elsewhere. */
static enum err check_plain(int dirfd, const char *dir, int depth, struct errinfo *e)
{
	struct arena a = { 0 };
	const char **names;
	size_t count;
	int fd = -1;
	enum err rc = names_in(dirfd, dir, &a, &names, &count, e);

	if (rc == ERR_OK)
		rc = open_dir(dirfd, dir, false, &fd, e);
	for (size_t i = 0; i < count && rc == ERR_OK; i++) {
		struct stat st;
		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = err_set(e, ERR_IO, errno, "stat %s", names[i]);
		else if (S_ISDIR(st.st_mode) && depth < 2)
			rc = check_plain(fd, names[i], depth + 1, e);
		else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
			rc = err_set(e, ERR_CORRUPT, 0, "the backup holds something that is no file: %s", names[i]);
		else if (depth == 0 && strcmp(names[i], "tasks.log") != 0 && !is_document(names[i]))
			rc = err_set(e, ERR_CORRUPT, 0, "the backup holds a file that is not chomp's: %s", names[i]);
	}
	if (fd >= 0)
		close(fd);
	arena_reset(&a);
	return rc;
}

static enum err check_documents(int from, struct errinfo *e)
{
	struct arena a = { 0 };
	const char **names;
	struct json_object *o;
	size_t count, len;
	char *text;
	enum err rc = names_in(from, ".", &a, &names, &count, e);

	for (size_t i = 0; i < count && rc == ERR_OK; i++) {
		if (!ends_with(names[i], ".json") || (rc = file_read(from, names[i], DOCUMENT_MAX, &a, &text, &len, e)) != ERR_OK)
			continue;
		if (json_parse(&a, text, len, &o, e) != ERR_OK || !json_is_object(o))
			rc = err_set(e, ERR_CORRUPT, 0, "%s in the backup is no JSON object", names[i]);
	}
	arena_reset(&a);
	return rc;
}

/* The ids that lines behind the damage speak of are used, too. */
static int64_t id_behind(const struct log *l, int64_t next_id)
{
	int fd = dup(l->fd);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (f == NULL) {
		if (fd >= 0)
			close(fd);
		return next_id;
	}
	rewind(f);
	while ((n = getline(&line, &room, f)) > 0) {
		struct record_head h;
		if (record_read(line, (size_t)n - 1, &h) && h.id + 1 > next_id)
			next_id = h.id + 1;
	}
	free(line);
	fclose(f);
	return next_id;
}

/* What is known of a log, damaged or not; without one, of an empty one. */
static enum err log_facts(int dirfd, bool must_be_good, int64_t *next_id, int64_t *gen, struct errinfo *e)
{
	struct log l;
	enum err rc;

	if (faccessat(dirfd, "tasks.log", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return must_be_good ? err_set(e, ERR_CORRUPT, 0, "there is no tasks.log in the backup") : ERR_OK;
	if ((rc = log_open(&l, dirfd, e)) != ERR_OK)
		return rc;
	if (must_be_good && (l.damage >= 0 || l.end == 0))
		rc = err_set(e, ERR_CORRUPT, 0, "tasks.log in the backup is damaged at byte %" PRId64, l.damage);
	*next_id = l.index.next_id > *next_id ? l.index.next_id : *next_id;
	*gen = l.index.gen > *gen ? l.index.gen : *gen;
	if (l.damage >= 0)
		*next_id = id_behind(&l, *next_id);
	log_close(&l);
	return rc;
}

/* No id of what is replaced comes again, and no version that a browser may remember. */
static enum err lift_ids(int from, int64_t next_id, int64_t gen, struct errinfo *e)
{
	struct strbuf line;
	struct log l;
	enum err rc = log_open(&l, from, e);

	if (rc != ERR_OK)
		return rc;
	strbuf_init(&line);
	record_log(&line, next_id, gen);
	if ((rc = log_append(&l, line.buf, line.len, e)) == ERR_OK)
		rc = log_sync(&l, e);
	strbuf_release(&line);
	log_close(&l);
	return rc;
}

static enum err move(int from, const char *old, int to, const char *new, struct errinfo *e)
{
	return renameat(from, old, to, new) == 0 ? ERR_OK : err_set(e, ERR_IO, errno, "move %s to %s", old, new);
}

static bool is_state(const char *name)
{
	return is_document(name) || strcmp(name, "tasks.log") == 0 || strcmp(name, "artifacts") == 0;
}

static enum err move_state(int from, int to, const char *where, struct errinfo *e)
{
	struct arena a = { 0 };
	const char **names;
	size_t count;
	enum err rc = names_in(from, ".", &a, &names, &count, e);

	for (size_t i = 0; i < count && rc == ERR_OK; i++) {
		if (is_state(names[i]))
			rc = move(from, names[i], to, names[i], e);
	}
	if (rc == ERR_OK && (fsync(to) < 0 || fsync(from) < 0))
		rc = err_set(e, ERR_IO, errno, "sync %s", where);
	arena_reset(&a);
	return rc;
}

static enum err clear_the_way(int dirfd, struct errinfo *e)
{
	int ready = -1, old = -1;
	enum err rc = open_dir(dirfd, READY, false, &ready, e);

	if (rc == ERR_OK && (rc = open_dir(ready, OLD, true, &old, e)) == ERR_OK &&
	    (rc = move_state(dirfd, old, READY, e)) == ERR_OK)
		rc = move(dirfd, READY, dirfd, PLACING, e);
	if (rc == ERR_OK && fsync(dirfd) < 0)
		rc = err_set(e, ERR_IO, errno, "sync state/");
	if (old >= 0)
		close(old);
	if (ready >= 0)
		close(ready);
	return rc;
}

static enum err place(int dirfd, struct errinfo *e)
{
	struct arena a = { 0 };
	int placing = -1;
	enum err rc = open_dir(dirfd, PLACING, false, &placing, e);

	if (rc == ERR_OK && (rc = move_state(placing, dirfd, PLACING, e)) == ERR_OK &&
	    (rc = move(placing, OLD, dirfd, arena_printf(&a, "replaced-%lld", (long long)time(NULL)), e)) == ERR_OK &&
	    unlinkat(dirfd, PLACING, AT_REMOVEDIR) < 0)
		rc = err_set(e, ERR_IO, errno, "remove " PLACING);
	if (rc == ERR_OK && fsync(dirfd) < 0)
		rc = err_set(e, ERR_IO, errno, "sync state/");
	if (placing >= 0)
		close(placing);
	arena_reset(&a);
	return rc;
}

static bool there(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum err transfer_resume(int dirfd, struct errinfo *e)
{
	enum err rc = ERR_OK;

	if (there(dirfd, READY)) {
		log_event(LOG_WARN, "store.restore_resumed");
		rc = clear_the_way(dirfd, e);
	}
	if (rc == ERR_OK && there(dirfd, PLACING))
		rc = place(dirfd, e);
	return rc;
}

static enum err prepare(const char *var, int dirfd, int from, struct errinfo *e)
{
	int64_t next_id = 1, gen = 1;
	enum err rc;

	if ((rc = check_plain(from, ".", 0, e)) != ERR_OK || (rc = check_documents(from, e)) != ERR_OK ||
	    (rc = log_facts(from, true, &next_id, &gen, e)) != ERR_OK ||
	    (rc = log_facts(dirfd, false, &next_id, &gen, e)) != ERR_OK ||
	    (rc = lift_ids(from, next_id, gen + 1, e)) != ERR_OK || (rc = secret_renew(var, SECRET_AGENT, e)) != ERR_OK)
		return rc;
	return syncfs(from) == 0 ? ERR_OK : err_set(e, ERR_IO, errno, "sync the files to be restored");
}

enum err transfer_import(const char *var, const char *from, struct errinfo *e)
{
	struct arena a = { 0 };
	struct lock lock;
	int dirfd, src = -1;
	enum err rc = open_dir(AT_FDCWD, arena_printf(&a, "%s/state", var), false, &dirfd, e);

	arena_reset(&a);
	if (rc != ERR_OK)
		return rc;
	if ((rc = lock_open(&lock, dirfd, e)) == ERR_OK) {
		if ((rc = lock_take(&lock, e)) == ERR_OK) {
			if ((rc = transfer_resume(dirfd, e)) == ERR_OK && (rc = open_dir(dirfd, from, false, &src, e)) == ERR_OK &&
			    (rc = prepare(var, dirfd, src, e)) == ERR_OK && (rc = move(dirfd, from, dirfd, READY, e)) == ERR_OK &&
			    fsync(dirfd) < 0)
				rc = err_set(e, ERR_IO, errno, "sync state/");
			if (rc == ERR_OK)
				rc = transfer_resume(dirfd, e);
			lock_drop(&lock);
		}
		lock_close(&lock);
	}
	if (src >= 0)
		close(src);
	close(dirfd);
	return rc;
}
