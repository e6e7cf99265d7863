/* Copying a session's terminal from the host into log/sessions/ (store/output.h), as it grows and
 * once more at the end. */
#ifndef CHOMP_DISPATCH_COPY_H
#define CHOMP_DISPATCH_COPY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	COPY_ONCE_MAX = 1 << 20,  /* bytes of one answer; more is asked for at once */
	COPY_FILM_MAX = 16 << 20, /* bytes of a session's film */
	COPY_KEEP_MAX = 64 << 20, /* bytes of one session */
	COPY_BUSY_MS = 300,
	COPY_QUIET_MS = 2000,
	COPY_SILENT_MS = 5000,
	COPY_FULL_MS =
		10 * 1000, /* nothing is kept any more, but the terminal is still a sign of life */
};

struct copy {
	bool known;       /* `at` was read from the file */
	bool broken;      /* the last append failed */
	int64_t at;       /* bytes copied, which is the file's size and the next offset */
	int64_t host_end; /* newest X-Log-End */
	int64_t next;     /* when to ask again */
	int64_t delay;
	uint64_t through; /* number of the newest call that left nothing to copy; 0: none did */
	int64_t skip;     /* of this answer: bytes that the file has already */
	bool film_due;    /* the log has grown since the film was asked for */
	bool film_none;   /* this host makes none */
	bool news;        /* terminal bytes came that active_at does not count yet */
};

#endif
