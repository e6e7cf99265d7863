/*
 * The task log's line format (docs/STATE.md).
 *
 *   <crc32 of the JSON text, 8 hex digits> <JSON object>\n
 *
 *   {"k":"log","v":1,"next_id":N,"gen":G}                               first line of a log, and wherever next_id jumps
 *   {"k":"new","id":N, … what never changes …}
 *   {"k":"new","id":N,"key":S,"at":T, … what never changes …}           made with an Idempotency-Key: its CRC-32, unix ms
 *   {"k":"set","id":N,"todo":0|1,"status":S,"tokens":N, … the rest with its sessions …}
 *   {"k":"del","id":N,"todo":0|1,"kills":[{"id":dispatchId,"attempts":N,"next_at":T}, …]}
 *
 * A line is valid when its checksum fits and its head reads as above.  The newest `set` or `del` of an id wins; a `set`
 * before its `new`, a second `new`, and anything after a `del` but another `del` are damage; a `del` of an id that is not
 * there is none, since compaction drops tombstones.  `gen` counts compactions.  `todo` says that the
 * dispatcher has work or something to watch.  The head is read without a JSON parser, so that a million tasks are
 * indexed in a second or two; readers of the whole line use the strict parser.
 */
#ifndef CHOMP_STORE_RECORD_H
#define CHOMP_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/strbuf.h"
#include "model/task.h"

enum record_kind { RECORD_LOG, RECORD_NEW, RECORD_SET, RECORD_DEL };
enum { RECORD_HEAD = 9, RECORD_VERSION = 1 }; /* bytes before the JSON text */

struct record_head {
	enum record_kind kind;
	int64_t id; /* RECORD_LOG: next_id */
	bool todo;
	enum status status; /* RECORD_SET */
	int64_t tokens;	    /* RECORD_SET */
	int64_t gen;	    /* RECORD_LOG */
	bool keyed;	    /* RECORD_NEW: made with an Idempotency-Key */
	uint32_t key_sum;
	int64_t created; /* when keyed, unix ms */
};

/* Check the line (len bytes without its newline) and read its head.  false: damaged. */
bool record_read(const char *line, size_t len, struct record_head *out);

/* Append a whole line, newline included, to out. */
void record_log(struct strbuf *out, int64_t next_id, int64_t gen);
void record_new(struct strbuf *out, const struct task *t);
void record_set(struct strbuf *out, const struct task *t);

/* A sandbox that still has to be ended after its task was deleted. */
struct doomed {
	const char *dispatch_id;
	int64_t attempts;
	int64_t next_at;
};
void record_del(struct strbuf *out, int64_t id, const struct doomed *kills, size_t count);

#endif
