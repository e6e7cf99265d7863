/*
 * The owner's settings (state/settings.json) and provider keys (state/keys.json), with their defaults.
 */
#ifndef CHOMP_STORE_SETTINGS_H
#define CHOMP_STORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

struct settings {
	bool auto_run, paused;
	bool auto_resume; /* a parked task goes on by itself */
	int64_t max_active, gate_loops, token_budget;
	int64_t session_timeout_s;
	const char *default_agent; /* NULL: the first available one */
	const char *custom_base_url, *custom_api; /* custom_api: "openai" or "anthropic" */
	const char *sandbox_allow; /* "host:port host:port", or NULL */
};

/* Defaults where nothing is stored.  Text lives in the arena. */
enum err settings_read(const char *var, struct arena *a, struct settings *out, struct errinfo *e);

/* Replace the stored settings by *s, whole: whoever changes one of them uses settings_change. */
enum err settings_write(const char *var, struct arena *a, const struct settings *s, struct errinfo *e);

/*
 * Change the settings: fn gets those that are stored (or the defaults), under the lock, and changes them, or returns an
 * error and nothing is written.  *out (may be NULL) receives the new ones.
 */
typedef enum err settings_fn(struct settings *s, void *arg, struct errinfo *e);
enum err settings_change(const char *var, struct arena *a, settings_fn *fn, void *arg, struct settings *out,
			 struct errinfo *e);

/* ---- keys: write-only for clients; the dispatcher hands a box those its router and agent need ---- */
struct key_name {
	const char *env_var, *name;
	const char *router; /* "cf-ai", "openrouter", "zen", "custom", or "" for a provider's own key */
};
extern const struct key_name key_names[];
extern const size_t key_name_count;

const struct key_name *key_find(const char *env_var); /* NULL: not a key chomp knows */

/* The value, or NULL when it is not set. */
enum err key_read(const char *var, struct arena *a, const char *env_var, const char **out, struct errinfo *e);
/* What may be shown of a value, to tell it from others: never more than half, nothing of a short one. */
const char *key_preview(struct arena *a, const char *value);
/* value "" deletes. */
enum err key_write(const char *var, struct arena *a, const char *env_var, const char *value, struct errinfo *e);

#endif
