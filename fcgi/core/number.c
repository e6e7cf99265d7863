#include "core/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

int number_parse(const char *s, int64_t min, int64_t max, int64_t *out)
{
	const char *first = *s == '-' ? s + 1 : s;
	char *end;

	/* strtoll takes spaces and a plus sign: the first character has to be a digit. */
	if (!isdigit((unsigned char)*first))
		return -1;
	errno = 0;
	long long n = strtoll(s, &end, 10);
	if (errno != 0 || *end != '\0' || n < min || n > max)
		return -1;
	*out = n;
	return 0;
}
