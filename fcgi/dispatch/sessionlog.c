/*
 * The copy is byte for byte: offset n of the file is offset n of the terminal, so the file's size
 * is all there is to remember, and a restart goes on where the copy ends.  What the host has
 * dropped before we came is filled up with a note and NULs, which terminals ignore.  Bytes go from
 * the network's buffer to the file; nothing is kept in memory.
 */
#include "dispatch/sessionlog.h"

#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "dispatch/outcome.h"
#include "store/output.h"

enum { ALIVE_EVERY_MS = 60 * 1000, FILL_CHUNK = 4096, LARGE_ANSWER = 256 * 1024 };

static const char full_note[] =
	"\r\n[chomp: what follows is not kept: 64 MiB of this session's terminal are]\r\n";

static bool full(const struct copy *k)
{
	return k->at >= COPY_KEEP_MAX;
}

static bool append(struct job *j, const char *p, size_t len)
{
	struct errinfo e = { 0 };
	struct copy *k = &j->copy;
	enum err rc = output_append(j->d->var, j->task, j->sid, OUTPUT_LOG, k->at, p, len, &e);

	if (rc == ERR_OK) {
		k->at += (int64_t)len;
		k->broken = false;
		return true;
	}
	if (!k->broken)
		log_event(LOG_WARN, "output.refused", LOG_I("id", j->task),
			  LOG_S("session", j->sid), LOG_S("why", e.what));
	k->broken = true;
	k->known = false; /* look at the file again */
	return false;
}

/* As much of it as is kept; the last piece is followed by a note. */
static bool append_bounded(struct job *j, const char *p, size_t len)
{
	size_t room = full(&j->copy) ? 0 : (size_t)(COPY_KEEP_MAX - j->copy.at);

	if (len > room)
		len = room;
	if (len > 0 && !append(j, p, len))
		return false;
	if (j->copy.at == COPY_KEEP_MAX) {
		log_event(LOG_WARN, "output.full", LOG_I("id", j->task), LOG_S("session", j->sid));
		return append(j, full_note, sizeof full_note - 1);
	}
	return true;
}

/* The host no longer has `gap` bytes that we have not copied. */
static bool fill(struct job *j, int64_t gap)
{
	struct arena a = { 0 };
	char piece[FILL_CHUNK];
	const char *note = arena_printf(
		&a, "\r\n[chomp: %" PRId64 " bytes were not kept by the sandbox host]\r\n", gap);
	size_t note_len = strlen(note);
	bool good = true;

	log_event(LOG_WARN, "output.gap", LOG_I("id", j->task), LOG_S("session", j->sid),
		  LOG_I("bytes", gap));
	memset(piece, 0, sizeof piece);
	if ((int64_t)note_len <= gap)
		memcpy(piece, note, note_len);
	while (good && gap > 0 && !full(&j->copy)) {
		size_t n = gap < FILL_CHUNK ? (size_t)gap : FILL_CHUNK;
		good = append_bounded(j, piece, n);
		gap -= (int64_t)n;
		memset(piece, 0, sizeof piece);
	}
	arena_reset(&a);
	return good;
}

/* Where the answer begins, before its first byte is taken. */
static bool begin(struct job *j, const struct call *c)
{
	int64_t start = c->log_start >= 0 ? c->log_start : j->copy.at;

	j->copy.skip = start < j->copy.at ? j->copy.at - start : 0;
	return start <= j->copy.at || fill(j, start - j->copy.at);
}

static bool take(struct call *c, const char *p, size_t len)
{
	struct job *j = c->job;

	if (!j->wanted || full(&j->copy) || (c->taken == 0 && !begin(j, c)))
		return false;
	c->taken += len;
	if (j->copy.skip >= (int64_t)len) {
		j->copy.skip -= (int64_t)len;
	} else {
		size_t skip = (size_t)j->copy.skip;
		j->copy.skip = 0;
		if (!append_bounded(j, p + skip, len - skip))
			return false;
	}
	return c->taken < COPY_ONCE_MAX;
}

/* ---- after an answer ---- */
static void schedule(struct copy *k, const struct call *c, int64_t at_before, int64_t mono)
{
	bool grew = k->at > at_before;
	/* X-Log-End tells how far the answer went, and a long answer may have been cut (at 1 MiB): ask on. */
	bool more = c->log_end > k->at || c->taken >= LARGE_ANSWER;
	bool moved = k->host_end > 0 && c->log_end > k->host_end;

	if (c->log_end > k->host_end)
		k->host_end = c->log_end;
	k->news = k->news || grew || moved;
	k->film_due = k->film_due || grew;
	if (!more || full(k))
		k->through = c->number;
	if (full(k))
		k->delay = COPY_FULL_MS;
	else if (grew)
		k->delay = COPY_BUSY_MS;
	else
		k->delay = k->delay * 3 / 2 > COPY_QUIET_MS ? COPY_QUIET_MS : k->delay * 3 / 2;
	k->next = grew && more && !full(k) ? mono : mono + k->delay;
}

static void sign_of_life(struct job *j)
{
	if (!j->open || !j->copy.news || j->d->wall_ms() - j->active_at < ALIVE_EVERY_MS)
		return;
	if (outcome_alive(j) == ERR_OK) {
		j->active_at = j->d->wall_ms();
		j->copy.news = false;
	}
}

static void answered(struct call *c)
{
	struct job *j = c->job;
	struct copy *k = &j->copy;
	int64_t mono = j->d->mono_ms(), asked = c->asked_from;

	job_answered(c);
	if (c->status == 200 && !k->broken) {
		schedule(k, c, asked, mono);
	} else if (c->status == 404) { /* it has none, or none any more */
		k->through = c->number;
		k->next = mono + COPY_QUIET_MS;
	} else {
		k->delay = k->delay * 2 > COPY_SILENT_MS ? COPY_SILENT_MS : k->delay * 2;
		k->next = mono + k->delay;
	}
	if (j->wanted)
		sign_of_life(j);
}

/* ---- the film: when what was shown (core/cast.h) ---- */
static void film_answered(struct call *c)
{
	struct job *j = c->job;
	struct copy *k = &j->copy;
	struct errinfo e = { 0 };

	job_answered(c);
	/* Asked for again when the log has grown, with what was missed: no answer is no loss. */
	k->film_due = c->status == 200 && c->answer.len >= LARGE_ANSWER;
	k->film_none = c->status == 404;
	if (c->status != 200 || c->answer.len == 0 || !j->wanted)
		return;
	if (output_append(j->d->var, j->task, j->sid, OUTPUT_FILM, c->asked_from, c->answer.buf, c->answer.len, &e) !=
	    ERR_OK)
		log_event(LOG_WARN, "film.refused", LOG_I("id", j->task), LOG_S("session", j->sid), LOG_S("why", e.what));
}

static void copy_film(struct job *j, const char *sandbox_id)
{
	struct copy *k = &j->copy;

	if (!k->film_due || k->film_none || j->calls[CALL_FILM] != NULL)
		return;
	int64_t from = output_size(j->d->var, j->task, j->sid, OUTPUT_FILM);
	if (from >= COPY_FILM_MAX) {
		k->film_none = true;
		return;
	}
	struct call *c = host_call_film(sandbox_id, from);
	c->asked_from = from;
	job_send(j, c, film_answered);
}

static void open_copy(struct job *j)
{
	struct copy *k = &j->copy;

	k->at = output_size(j->d->var, j->task, j->sid, OUTPUT_LOG);
	k->known = true;
	if (k->delay < COPY_BUSY_MS)
		k->delay = COPY_BUSY_MS;
}

int64_t sessionlog_copy(struct job *j, const char *sandbox_id)
{
	struct copy *k = &j->copy;

	copy_film(j, sandbox_id);
	if (j->calls[CALL_LOGS] != NULL)
		return NEVER;
	if (k->next > j->d->mono_ms())
		return k->next;
	if (!k->known)
		open_copy(j);
	/* Full: ask from the end of what the host has, only to see whether it moves. */
	int64_t from = full(k) && k->host_end > k->at ? k->host_end : k->at;
	struct call *c = host_call_logs(sandbox_id, from);
	c->take = take;
	c->asked_from = k->at;
	job_send(j, c, answered);
	return NEVER;
}

bool sessionlog_through(const struct job *j, uint64_t number)
{
	const struct copy *k = &j->copy;

	return k->through > number && (!k->film_due || k->film_none) && j->calls[CALL_FILM] == NULL;
}

int64_t sessionlog_round(struct job *j)
{
	if (j->sandbox_id[0] == '\0')
		return NEVER;
	return sessionlog_copy(j, j->sandbox_id);
}
