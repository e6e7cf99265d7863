/*
 * The state of chomp's first version: one state.json with {"tasks":[…],"next_id":N,…}.  Taken over once, when there is no task
 * log yet; nothing of it is lost, unknown members included.  keys.json and agents.json have kept their shape.
 */
#ifndef CHOMP_STORE_ADOPT_H
#define CHOMP_STORE_ADOPT_H

#include "core/err.h"

/*
 * dirfd: state/.  Does nothing when tasks.log has anything in it or there is no state.json.  Else writes tasks.log whole
 * and adopted.json (unknown top-level members); the original stays as state.json.adopted.
 * ERR_CORRUPT says what cannot be adopted; nothing has changed then.  ERR_IO, ERR_DISK_FULL.
 */
enum err adopt_old_state(int dirfd, struct errinfo *e);

#endif
