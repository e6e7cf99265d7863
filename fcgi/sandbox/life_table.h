/* The inside of `struct life`, shared by life.c (moves), life_table.c (table, descriptors,
 * adoption) and life_query.c. */
#ifndef CHOMP_SANDBOX_LIFE_TABLE_H
#define CHOMP_SANDBOX_LIFE_TABLE_H

#include <limits.h>
#include <stdint.h>

#include "sandbox/life.h"

enum { BOX_MAX = 512, SAID_MAX = 200, KEEP_DAYS = 7, LOOK_EVERY_MS = 3600 * 1000 };

enum state { STARTING, RUNNING, STOPPING, GONE };
enum event { EV_READY, EV_KILL, EV_TIMEOUT, EV_EXIT };
enum watched { WATCH_TIMER, WATCH_SWEEP, WATCH_READY, WATCH_SHIM };

struct box {
	uint64_t number; /* never used twice */
	char id[SANDBOX_ID];
	enum state state;
	pid_t shim;
	int pidfd, ready;    /* ready: -1 once heard */
	int64_t started_ms;  /* unix; 0 until known */
	int64_t born_ms;     /* monotonic */
	int64_t deadline_ms; /* monotonic; 0: none */
	char said[SAID_MAX];
	size_t said_len;
	struct life_wait *starting, *killing;
};

struct life {
	struct life_conf conf;
	char key[SANDBOX_ID * 2]; /* used when conf.secret is NULL */
	char etc[PATH_MAX];
	char bwrap[PATH_MAX], slirp[PATH_MAX]; /* "": none */
	int seccomp;
	bool boundary_known, draining;
	int root, epoll, timer;
	int sweeper; /* pidfd of the child at work, or -1 */
	bool sweep_again;
	uint64_t last_number;
	int64_t looked_ms; /* monotonic: when the directories were last gone through */
	struct box *box[BOX_MAX];
	int len;
};

void table_id_of(const struct life *l, const char *dispatch_id, char id[static SANDBOX_ID]);

/* Also finds, and adopts, a living sandbox that the table has not met yet. */
struct box *table_find(struct life *l, const char *id);
struct box *table_by_number(struct life *l, uint64_t number);

/* Takes `ready` (or -1), also on error. */
enum err table_add(struct life *l, const char *id, pid_t shim, int ready, enum state state,
		   struct errinfo *e);
void table_remove(struct life *l, struct box *b);
void table_set_timer(struct life *l); /* to the nearest deadline */
bool table_read_said(struct box *b);  /* true when the shim has said all */
void table_close_ready(struct life *l, struct box *b);
void table_adopt_all(struct life *l); /* and the old ones go to the trash */

/* What a killed, no longer living sandbox leaves: the mark, record and log; its files go to the
 * trash. */
enum err table_bury(struct life *l, const char *id, struct errinfo *e);
void table_sweep(struct life *l);
void table_sweep_done(struct life *l);

enum err table_write_about(int dir, const struct dispatch *d, struct errinfo *e);
struct box_host table_host(const struct life *l); /* what of conf.host is there right now */
const char *table_find_slirp(struct life *l);      /* why boxes get no internet here; NULL: they do */
/* What stands around a box of this dispatch, for its owner. */
void table_boundary(struct life *l, const struct dispatch *d, char *out, size_t size);

#endif
