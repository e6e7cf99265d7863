#include "dispatch/watch.h"

#include <inttypes.h>
#include <string.h>

const char *watch_duration(struct arena *a, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 60)
		return arena_printf(a, "%" PRId64 " s", s);
	if (s < 3600)
		return arena_printf(
			a, s % 60 != 0 ? "%" PRId64 " min %" PRId64 " s" : "%" PRId64 " min",
			s / 60, s % 60);
	int64_t min = s % 3600 / 60;
	return arena_printf(a, min != 0 ? "%" PRId64 " h %" PRId64 " min" : "%" PRId64 " h",
			    s / 3600, min);
}

static const char *timed_out(struct arena *a, const struct watched *s)
{
	if (s->expires_at <= s->started_at)
		return "timed out";
	return arena_printf(a, "timed out after %s",
			    watch_duration(a, s->expires_at - s->started_at));
}

static bool is(const char *text, const char *what)
{
	return text != NULL && strcmp(text, what) == 0;
}

/* The reason before the code: what was ended by time or by force did not succeed, whatever it
 * exited with. */
static struct verdict from_record(struct arena *a, const struct host_status *st,
				  const struct watched *s)
{
	struct verdict v = { .result = RESULT_FAILED,
			     .has_exit_code = st->has_exit_code,
			     .exit_code = st->exit_code };

	if (is(st->reason, "timeout"))
		v.reason = timed_out(a, s);
	else if (is(st->reason, "killed"))
		v.reason = "the sandbox was killed";
	else if (is(st->reason, "error") || !st->has_exit_code)
		v.reason = st->error != NULL && *st->error != '\0'
				   ? st->error
				   : "the sandbox failed without saying why";
	else if (st->exit_code > 128 && st->exit_code < 160)
		v.reason = arena_printf(a, "exit code %" PRId64 " (signal %" PRId64 ")",
					st->exit_code, st->exit_code - 128);
	else if (st->exit_code != 0)
		v.reason = arena_printf(a, "exit code %" PRId64, st->exit_code);
	else
		v.result = RESULT_DONE;
	return v;
}

static void break_rows(struct watch *w)
{
	w->record_at = w->dead_at = w->idle_at = w->silent_at = 0;
}

/* Start or keep the row of looks that found this, and break every other.  Returns its first look.
 */
static int64_t row(struct watch *w, int64_t *which, int64_t mono)
{
	int64_t since = *which != 0 ? *which : mono;

	break_rows(w);
	*which = since;
	return since;
}

static bool has_record(const struct host_status *st)
{
	return !st->running &&
	       (st->has_exit_code || is(st->reason, "error") || is(st->reason, "timeout"));
}

static struct verdict look_running(struct watch *w, struct arena *a, const struct watched *s,
				   int64_t mono)
{
	break_rows(w);
	w->ended_at = 0;
	w->next = mono + (s->wall - s->started_at < YOUNG_MS ? LOOK_YOUNG_MS : LOOK_OLD_MS);
	if (s->expires_at != 0 && s->wall > s->expires_at + HOST_TIMEOUT_MS)
		return (struct verdict){ .result = RESULT_FAILED, .reason = timed_out(a, s) };
	return (struct verdict){ .result = RESULT_OPEN };
}

struct verdict watch_answer(struct watch *w, struct arena *a, const struct host_status *st,
			    const struct watched *s, int64_t mono)
{
	struct verdict none = { .result = RESULT_OPEN };

	w->delay = 0;
	if (st->running && st->alive)
		return look_running(w, a, s, mono);
	if (has_record(st)) {
		if (w->ended_at == 0)
			w->ended_at = mono;
		if (mono - row(w, &w->record_at, mono) >= RECORD_GRACE_MS)
			return from_record(a, st, s);
		w->next = w->record_at + RECORD_GRACE_MS;
		return none;
	}
	if (!st->alive) {
		if (w->ended_at == 0)
			w->ended_at = mono;
		if (mono - row(w, &w->dead_at, mono) >= LOST_APART_MS)
			return (struct verdict){
				.result = RESULT_LOST,
				.reason = "lost: the sandbox is gone and left no exit record"
			};
		w->next = w->dead_at + LOST_APART_MS;
		return none;
	}
	if (mono - row(w, &w->idle_at, mono) >= NO_AGENT_MS)
		return (struct verdict){
			.result = RESULT_LOST,
			.reason = "lost: the sandbox is there, but no agent runs in it"
		};
	w->next = mono + LOOK_YOUNG_MS;
	return none;
}

struct verdict watch_silence(struct watch *w, const struct watched *s, int64_t mono)
{
	int64_t delay = w->delay * 2;
	int64_t since = row(w, &w->silent_at, mono);

	if (delay < LOOK_YOUNG_MS)
		delay = LOOK_YOUNG_MS;
	w->delay = delay > LOOK_SILENT_MAX_MS ? LOOK_SILENT_MAX_MS : delay;
	w->next = mono + w->delay;
	if (s->expires_at == 0 || s->wall <= s->expires_at + SILENT_LOST_MS ||
	    mono - since < SILENT_SHOWN_MS)
		return (struct verdict){ .result = RESULT_OPEN };
	return (struct verdict){
		.result = RESULT_LOST,
		.reason = "lost: the sandbox host cannot be reached and the session's time is over"
	};
}
