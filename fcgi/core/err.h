/*
 * The one error type.  Functions that can fail return `enum err` and fill `struct errinfo` where the failure happens.
 * The table says the HTTP status and the wire code (docs/API.md, "Errors") of each.
 */
#ifndef CHOMP_CORE_ERR_H
#define CHOMP_CORE_ERR_H

#define ERR_LIST(X) /* code, HTTP status, wire code */ \
	X(OK, 200, "ok") \
	X(BAD_INPUT, 400, "bad_field") \
	X(BAD_JSON, 400, "bad_json") \
	X(NO_TOKEN, 401, "no_token") \
	X(FORBIDDEN, 403, "forbidden") \
	X(NOT_FOUND, 404, "not_found") \
	X(METHOD, 405, "method") \
	X(CONFLICT, 409, "conflict") \
	X(TOO_LARGE, 413, "too_large") \
	X(MEDIA, 415, "unsupported_media") \
	X(MISDIRECTED, 421, "unknown_host") \
	X(LIMIT, 429, "limit") \
	X(IO, 500, "io") \
	X(CORRUPT, 500, "corrupt") \
	X(BUSY, 503, "busy") \
	X(READONLY, 503, "read_only") \
	X(DISK_FULL, 507, "disk_full")

enum err {
#define X(code, status, wire) ERR_##code,
	ERR_LIST(X)
#undef X
};

struct errinfo {
	enum err code;
	const char *wire; /* a finer code than the table's, a literal; NULL = the table's */
	int sys;          /* errno, or 0 */
	char what[240];   /* one sentence: what was wrong and what to do; reaches the client only for 4xx and 503/507 */
};

/*
 * Fill *e (may be NULL) and return code.  sys: errno or 0; its text is appended to the message, which may be cut and is
 * always UTF-8: bytes that are none become question marks.
 */
__attribute__((format(printf, 4, 5))) enum err err_set(struct errinfo *e, enum err code, int sys,
						       const char *fmt, ...);
/* The same with a finer wire code, which must be a literal. */
__attribute__((format(printf, 4, 5))) enum err err_wire(struct errinfo *e, enum err code,
							const char *wire, const char *fmt, ...);

int err_status(enum err code);            /* HTTP status */
const char *err_code(const struct errinfo *e); /* the wire code, never NULL */

#endif
