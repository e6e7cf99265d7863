/* What the relay's parts share: the loop, the store, who is connected. */
#ifndef CHOMP_RELAY_RELAY_H
#define CHOMP_RELAY_RELAY_H

#include "http/app.h"
#include "http/request.h"
#include "model/task.h"
#include "relay/wsock.h"

enum { VIEWERS_MAX = 2000, STREAMS_MAX = 2000 };

struct viewer;
struct stream;

struct relay {
	struct app app;
	struct wsock *loop;
	struct relay_host {
		const char *url;	 /* of a sandbox host; NULL: there is none at this site */
		const char *secret_file; /* NULL: none */
	} at[SITES];
	enum site usual; /* of tasks that name none */
	struct viewer *viewers;
	struct stream *streams;
	int viewer_count, stream_count;
	struct store *store;
	int64_t version; /* of the store, as last seen */
	bool announcing;
	struct wsock_timer announce, beat, again;
};

/* What a connection showed when it came, kept to ask again when secrets change. */
struct credentials {
	char *authorization, *cookie; /* owned */
};

/*
 * 0 when the request comes from the owner, else the HTTP status of the refusal: Host, then Origin, then cookie or bearer.
 * A browser always sends an Origin with a WebSocket; without one only a bearer token is good enough.
 */
int relay_admit(struct relay *r, const struct upgrade *u, struct credentials *out);

/* Whether they are still good. */
bool relay_still_good(struct relay *r, const struct credentials *c);
void credentials_release(struct credentials *c);

#endif
