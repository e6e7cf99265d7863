/*
 * What a task has changed, as people read it: changes.patch by file, each with what was added and removed.
 *
 * The format is git's (git-diff(1), "generating patch text with -p").  Lines are counted by the numbers of their hunk's
 * header, so a removed line that begins with "-- " is no file header.  The sums are those that were counted when the patch
 * came (model/patch.h), where they were; of a large patch the first DIFF_READ bytes are read and the first DIFF_SHOWN bytes of
 * its lines shown, and the cut is told.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "partials/parts.h"
#include "partials/text.h"
#include "store/output.h"

#define PATCH "changes.patch"

enum { DIFF_READ = 4 * 1024 * 1024, DIFF_SHOWN = 128 * 1024, DIFF_FILES = 200 };

struct diff {
	struct arena *arena;
	struct view *view; /* the whole page's */
	struct view *file; /* the present file's item, or NULL */
	const char *name;
	int64_t files, added, removed;	       /* of all */
	int64_t file_added, file_removed;      /* of this one */
	int64_t old_left, new_left;	       /* lines that this hunk still has */
	size_t shown;
	bool lines_cut;
	/* lines of one kind that follow each other are one block */
	char kind;
	const char *block, *block_end;
};

static const char *kind_class(char kind)
{
	return kind == '+' ? "diff-add" : kind == '-' ? "diff-del" : kind == '@' ? "diff-hunk" : "diff-same";
}

static void end_block(struct diff *d)
{
	if (d->block == NULL)
		return;
	size_t len = (size_t)(d->block_end - d->block);
	if (d->file != NULL && d->shown < DIFF_SHOWN) {
		struct view *b = view_item(d->file, "blocks");
		size_t fits = len < DIFF_SHOWN - d->shown ? len : DIFF_SHOWN - d->shown;
		view_text(b, "class", kind_class(d->kind));
		view_text(b, "text", text_utf8(d->arena, d->block, fits));
		d->lines_cut = d->lines_cut || fits < len;
	} else {
		d->lines_cut = true;
	}
	d->shown += len;
	d->block = NULL;
}

static void end_file(struct diff *d)
{
	end_block(d);
	if (d->name != NULL) {
		d->files++;
		d->added += d->file_added;
		d->removed += d->file_removed;
		if (d->file != NULL) {
			view_text(d->file, "file", d->name);
			view_num(d->file, "added", d->file_added);
			view_num(d->file, "removed", d->file_removed);
		}
	}
	d->name = NULL;
	d->file = NULL;
	d->file_added = d->file_removed = d->old_left = d->new_left = 0;
}

static bool starts(const char *line, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(line, with, n) == 0;
}

/* "diff --git a/x b/x": the name is that of the second half. */
static void begin_file(struct diff *d, const char *line, size_t len)
{
	const char *name = line, *end = line + len;

	end_file(d);
	for (const char *p = line; p + 3 < end; p++) {
		if (memcmp(p, " b/", 3) == 0)
			name = p + 3;
	}
	d->name = text_utf8(d->arena, name, (size_t)(end - name));
	if (d->files < DIFF_FILES)
		d->file = view_item(d->view, "changes");
}

static void header_line(struct diff *d, const char *line, size_t len)
{
	if (starts(line, len, "+++ b/")) {
		d->name = text_utf8(d->arena, line + 6, len - 6);
	} else if (d->file != NULL && (starts(line, len, "Binary files ") || starts(line, len, "GIT binary patch"))) {
		view_flag(d->file, "binary", true);
	} else if (d->file != NULL && starts(line, len, "new file")) {
		view_text(d->file, "how", "new");
	} else if (d->file != NULL && starts(line, len, "deleted file")) {
		view_text(d->file, "how", "deleted");
	} else if (d->file != NULL && starts(line, len, "rename to ")) {
		view_text(d->file, "how", "renamed");
	}
}

/* "@@ -1,5 +1,6 @@ …"; a count that is left out is 1. */
static bool hunk_header(struct diff *d, const char *line, size_t len)
{
	char text[96];
	size_t n = len < sizeof text - 1 ? len : sizeof text - 1;

	if (d->name == NULL || !starts(line, len, "@@ -"))
		return false;
	memcpy(text, line, n);
	text[n] = '\0';
	d->old_left = d->new_left = 1;
	const char *comma = strchr(text, ','), *plus = strchr(text, '+');
	if (plus == NULL)
		return false;
	if (comma != NULL && comma < plus)
		(void)sscanf(comma, ",%9" SCNd64, &d->old_left);
	const char *end = strstr(plus, " @@");
	comma = strchr(plus, ',');
	if (comma != NULL && (end == NULL || comma < end))
		(void)sscanf(comma, ",%9" SCNd64, &d->new_left);
	return true;
}

static void add_line(struct diff *d, char kind, const char *line, const char *next)
{
	if (d->block != NULL && d->kind != kind)
		end_block(d);
	if (d->block == NULL)
		d->block = line;
	d->kind = kind;
	d->block_end = next;
}

static void take_line(struct diff *d, const char *line, size_t len, const char *next)
{
	char kind = len > 0 ? *line : ' ';
	bool in_hunk = d->old_left > 0 || d->new_left > 0;

	if (!in_hunk && starts(line, len, "diff --git ")) {
		begin_file(d, line, len);
	} else if (!in_hunk && hunk_header(d, line, len)) {
		add_line(d, '@', line, next);
	} else if (in_hunk && (kind == '+' || kind == '-' || kind == ' ')) {
		d->file_added += kind == '+';
		d->file_removed += kind == '-';
		d->new_left -= kind != '-';
		d->old_left -= kind != '+';
		add_line(d, kind, line, next);
	} else if (!in_hunk) {
		header_line(d, line, len);
	}
}

static void parse(struct diff *d, const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *next = newline != NULL ? newline + 1 : end;
		take_line(d, p, (size_t)((newline != NULL ? newline : end) - p), next);
		p = next;
	}
	end_file(d);
}

/* The first DIFF_READ bytes, or NULL; *len is how many, *cut whether there are more. */
static const char *read_patch(struct app *app, struct arena *a, int64_t id, size_t *len, bool *cut)
{
	struct errinfo e;
	int64_t size;
	int fd;

	if (artifact_open(app->var, id, PATCH, &fd, &size, &e) != ERR_OK) {
		log_err(LOG_ERROR, "page.patch_unreadable", &e);
		return NULL;
	}
	size_t want = size < DIFF_READ ? (size_t)size : DIFF_READ;
	char *buf = arena_alloc(a, want + 1);
	ssize_t got = pread(fd, buf, want, 0);
	if (got < 0)
		log_event(LOG_ERROR, "page.patch_unreadable", LOG_I("id", id), LOG_S("why", strerror(errno)));
	close(fd);
	*len = got > 0 ? (size_t)got : 0;
	*cut = size > DIFF_READ;
	return got >= 0 ? buf : NULL;
}

void diff_fill(struct app *app, struct arena *a, const struct task *t, struct view *v)
{
	struct diff d = { .arena = a, .view = v };
	const struct artifact *patch = NULL;
	bool cut = false;
	size_t len = 0;

	for (size_t i = 0; i < t->artifact_count; i++) {
		if (t->artifacts[i].name != NULL && strcmp(t->artifacts[i].name, PATCH) == 0)
			patch = &t->artifacts[i];
	}
	const char *text = patch != NULL ? read_patch(app, a, t->id, &len, &cut) : NULL;
	if (text == NULL)
		return;
	parse(&d, text, len);
	struct patch_stat sum = { true, d.files, d.added, d.removed };
	if (patch->patch.known)
		sum = patch->patch;
	view_flag(v, "has_diff", true);
	view_num(v, "diff_files", sum.files);
	view_flag(v, "diff_one", sum.files == 1);
	view_num(v, "diff_added", sum.added);
	view_num(v, "diff_removed", sum.removed);
	view_flag(v, "diff_cut", cut || d.lines_cut || d.files > DIFF_FILES);
}
