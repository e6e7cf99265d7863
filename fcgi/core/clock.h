/* Time: unix milliseconds, UTC.  Programs read it through a clock, so that tests can turn it. */
#ifndef CHOMP_CORE_CLOCK_H
#define CHOMP_CORE_CLOCK_H

#include <stdint.h>
#include <stddef.h>

enum { CLOCK_TEXT = 32 }; /* room for clock_rfc3339 */

int64_t clock_wall_ms(void); /* may jump: for records and people */
int64_t clock_mono_ms(void); /* never jumps: for waiting */

/* "2026-02-11T10:00:00.123Z"; without the fraction when it is zero.  Returns buf. */
char *clock_rfc3339(int64_t ms, char buf[static CLOCK_TEXT]);

/* Parse RFC 3339 with Z or an offset.  Returns 0, or -1 when it is none. */
int clock_parse(const char *s, int64_t *ms);

#endif
