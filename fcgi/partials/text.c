#include "partials/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/strbuf.h"
#include "core/utf8.h"

enum { TITLE_MAX = 160 };

const char *text_count(struct arena *a, int64_t n)
{
	if (n < 1000)
		return arena_printf(a, "%" PRId64, n);
	if (n < 1000000)
		return arena_printf(a, "%" PRId64 "k", n / 1000);
	return arena_printf(a, "%" PRId64 ".%" PRId64 "M", n / 1000000, n / 100000 % 10);
}

const char *text_age(struct arena *a, int64_t ms)
{
	int64_t s = ms > 0 ? ms / 1000 : 0;

	if (s < 60)
		return arena_printf(a, "%" PRId64 "s", s);
	if (s < 3600)
		return arena_printf(a, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
	return arena_printf(a, "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
}

const char *text_took(struct arena *a, int64_t ms)
{
	int64_t s = ms > 0 ? ms / 1000 : 0;

	return s >= 60 && s < 3600 ? arena_printf(a, "%" PRId64 "m", s / 60) : text_age(a, ms);
}

const char *text_date(struct arena *a, int64_t ms, int64_t now)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t when = (time_t)(ms / 1000), today = (time_t)(now / 1000);
	struct tm tm, this_day;

	if (gmtime_r(&when, &tm) == NULL || gmtime_r(&today, &this_day) == NULL)
		return "?";
	int hour = tm.tm_hour % 12 != 0 ? tm.tm_hour % 12 : 12;
	const char *half = tm.tm_hour < 12 ? "AM" : "PM";
	if (tm.tm_year != this_day.tm_year)
		return arena_printf(a, "%s %d %d, %d:%02d %s", months[tm.tm_mon], tm.tm_mday,
				    tm.tm_year + 1900, hour, tm.tm_min, half);
	return arena_printf(a, "%s %d, %d:%02d %s", months[tm.tm_mon], tm.tm_mday, hour, tm.tm_min, half);
}

const char *text_size(struct arena *a, int64_t bytes)
{
	const int64_t kb = 1024, mb = kb * kb;

	if (bytes < kb)
		return arena_printf(a, "%" PRId64 " B", bytes);
	if (bytes < mb)
		return arena_printf(a, "%" PRId64 " KB", bytes / kb);
	return arena_printf(a, "%" PRId64 ".%" PRId64 " MB", bytes / mb, bytes % mb * 10 / mb);
}

/* U+2400 + c, or for DEL U+2421 */
static void picture(struct strbuf *sb, unsigned char c)
{
	char p[3] = { (char)0xE2, (char)0x90, (char)(0x80 + (c == 0x7F ? 0x21 : c)) };

	strbuf_add(sb, p, sizeof p);
}

const char *text_shown(struct arena *a, const char *s)
{
	struct strbuf sb;

	if (s == NULL)
		return NULL;
	strbuf_init(&sb);
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++) {
		if (*p == '\r' && p[1] == '\n')
			continue;
		if ((*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7F) {
			picture(&sb, *p);
		} else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) { /* C1: U+0080 … U+009F */
			strbuf_puts(&sb, "\xEF\xBF\xBD");
			p++;
		} else {
			strbuf_putc(&sb, (char)*p);
		}
	}
	const char *out = arena_strndup(a, sb.buf, sb.len);
	strbuf_release(&sb);
	return out;
}

const char *text_utf8(struct arena *a, const char *p, size_t len)
{
	struct strbuf sb;
	size_t i = 0;

	strbuf_init(&sb);
	while (i < len) {
		size_t n = 1, left = len - i;
		while (n < 4 && n < left && ((unsigned char)p[i + n] & 0xC0) == 0x80)
			n++;
		if (p[i] != '\0' && utf8_valid(p + i, n))
			strbuf_add(&sb, p + i, n);
		else
			strbuf_puts(&sb, "\xEF\xBF\xBD");
		i += n;
	}
	const char *out = text_shown(a, sb.buf);
	strbuf_release(&sb);
	return out;
}

const char *text_query(struct arena *a, const char *s)
{
	struct strbuf sb;

	strbuf_init(&sb);
	for (; *s != '\0'; s++) {
		bool plain = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			     strchr("-._~", *s) != NULL;
		if (plain)
			strbuf_putc(&sb, *s);
		else
			strbuf_printf(&sb, "%%%02X", (unsigned char)*s);
	}
	const char *out = arena_strndup(a, sb.buf, sb.len);
	strbuf_release(&sb);
	return out;
}

const char *text_title(struct arena *a, const char *prompt, bool *whole)
{
	const char *p = prompt + strspn(prompt, " \t\r\n\v\f");
	size_t len = strcspn(p, "\r\n");
	size_t cut = len > TITLE_MAX ? utf8_cut(p, len, TITLE_MAX) : len;

	*whole = p[len + strspn(p + len, " \t\r\n\v\f")] == '\0' && cut == len;
	const char *line = text_shown(a, arena_strndup(a, p, cut));
	return cut < len ? arena_printf(a, "%s…", line) : line;
}
