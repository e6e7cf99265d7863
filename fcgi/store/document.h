/*
 * Small documents below state/: settings.json, keys.json, agents.json, platforms.json.  Read whole, replaced atomically
 * under the writers' lock, never larger than DOCUMENT_MAX.
 */
#ifndef CHOMP_STORE_DOCUMENT_H
#define CHOMP_STORE_DOCUMENT_H

#include "core/json.h"

enum { DOCUMENT_MAX = 1024 * 1024 };

/* *out is NULL when there is no such document.  var: CHOMP_VAR.  ERR_CORRUPT when it is no JSON object. */
enum err document_read(const char *var, const char *name, struct arena *a, struct json_object **out,
		       struct errinfo *e);

/*
 * Read, let fn write the new text into *out, replace: all under the lock.  fn returns an error to leave the old one.
 * ERR_TOO_LARGE when the new one would be larger than DOCUMENT_MAX; ERR_READONLY after a failed write or sync of anything.
 */
typedef enum err document_fn(const struct json_object *old, struct strbuf *out, void *arg,
			      struct errinfo *e);
enum err document_change(const char *var, const char *name, struct arena *a, document_fn *fn, void *arg,
			 struct errinfo *e);

#endif
