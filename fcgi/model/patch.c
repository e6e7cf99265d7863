#include "model/patch.h"

#include <stdbool.h>
#include <string.h>

/* "-3,7" or "-3": how many lines of that side follow.  Moves *p behind it; false when it reads otherwise. */
static bool side(const char **p, const char *end, char sign, int64_t *count)
{
	const char *at = *p;
	int64_t n = 1;

	if (at == end || *at++ != sign)
		return false;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	if (at < end && *at == ',') {
		n = 0;
		for (at++; at < end && *at >= '0' && *at <= '9' && n < INT64_MAX / 16; at++)
			n = n * 10 + (*at - '0');
	}
	*p = at;
	*count = n;
	return true;
}

struct hunk {
	int64_t old, new; /* lines still to come */
};

/* "@@ -1,2 +3,4 @@ …" */
static bool hunk_header(const char *line, const char *end, struct hunk *h)
{
	const char *p = line + 3;

	return end - line > 4 && memcmp(line, "@@ ", 3) == 0 && side(&p, end, '-', &h->old) && p < end && *p++ == ' ' &&
	       side(&p, end, '+', &h->new);
}

static void count_line(char sign, struct hunk *h, struct patch_stat *out)
{
	if (sign == '\\') /* "No newline at end of file" is no line */
		return;
	out->added += sign == '+';
	out->removed += sign == '-';
	h->old -= sign != '+';
	h->new -= sign != '-';
}

struct patch_stat patch_count(const char *text, size_t len)
{
	static const char header[] = "diff --git ";
	struct patch_stat out = { .known = true };
	struct hunk h = { 0, 0 };
	const char *end = text + len;

	for (const char *line = text; line < end;) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		const char *stop = nl != NULL ? nl : end;
		if (h.old > 0 || h.new > 0)
			count_line(line < stop ? *line : ' ', &h, &out);
		else if ((size_t)(stop - line) >= sizeof header - 1 && memcmp(line, header, sizeof header - 1) == 0)
			out.files++;
		else if (!hunk_header(line, stop, &h))
			h = (struct hunk){ 0, 0 };
		line = stop + 1;
	}
	return out;
}
