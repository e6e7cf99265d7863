#include "core/clock.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* width digits of v, and what follows them */
static char *put(char *p, int v, int width, char after)
{
	for (int i = width - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	p[width] = after;
	return p + width + 1;
}

/* By hand: every record holds a dozen times, and strftime takes as long for one as the rest of the line. */
char *clock_rfc3339(int64_t ms, char buf[static CLOCK_TEXT])
{
	time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
	int frac = (int)(ms % 1000 + (ms % 1000 < 0 ? 1000 : 0));
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL || tm.tm_year > 8099 || tm.tm_year < -1900) {
		memcpy(buf, "1970-01-01T00:00:00Z", sizeof "1970-01-01T00:00:00Z");
		return buf;
	}
	char *p = put(buf, tm.tm_year + 1900, 4, '-');
	p = put(p, tm.tm_mon + 1, 2, '-');
	p = put(p, tm.tm_mday, 2, 'T');
	p = put(p, tm.tm_hour, 2, ':');
	p = put(p, tm.tm_min, 2, ':');
	p = put(p, tm.tm_sec, 2, frac != 0 ? '.' : 'Z');
	if (frac != 0)
		p = put(p, frac, 3, 'Z');
	*p = '\0';
	return buf;
}

/* Exactly n digits at *s; moves *s behind them.  -1 when they are not there. */
static int digits(const char **s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static int fraction_ms(const char **s)
{
	int ms = 0, scale = 100;

	(*s)++;
	if (!isdigit((unsigned char)**s))
		return -1;
	for (; isdigit((unsigned char)**s); (*s)++, scale /= 10)
		ms += (**s - '0') * scale;
	return ms;
}

static int offset_minutes(const char **s, int *minutes)
{
	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		*minutes = 0;
		return 0;
	}
	int sign = **s == '+' ? 1 : **s == '-' ? -1 : 0;
	if (sign == 0)
		return -1;
	(*s)++;
	int h = digits(s, 2);
	if (h < 0 || h > 23 || **s != ':')
		return -1;
	(*s)++;
	int m = digits(s, 2);
	if (m < 0 || m > 59)
		return -1;
	*minutes = sign * (h * 60 + m);
	return 0;
}

int clock_parse(const char *s, int64_t *ms)
{
	static const char separators[] = "--T::";
	int part[6], minutes, frac = 0;

	for (int i = 0; i < 6; i++) {
		part[i] = digits(&s, i == 0 ? 4 : 2);
		if (part[i] < 0)
			return -1;
		if (i < 5) {
			if (*s != separators[i] && !(i == 2 && (*s == 't' || *s == ' ')))
				return -1;
			s++;
		}
	}
	if (*s == '.' && (frac = fraction_ms(&s)) < 0)
		return -1;
	if (offset_minutes(&s, &minutes) < 0 || *s != '\0')
		return -1;
	if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 || part[4] > 59 ||
	    part[5] > 60)
		return -1;
	struct tm tm = { .tm_year = part[0] - 1900, .tm_mon = part[1] - 1, .tm_mday = part[2],
			 .tm_hour = part[3], .tm_min = part[4] };
	int64_t seconds = timegm(&tm); /* turns 31 February into 3 March, and says so in tm */
	if (tm.tm_mday != part[2])
		return -1;
	*ms = (seconds + part[5] - (int64_t)minutes * 60) * 1000 + frac;
	return 0;
}
