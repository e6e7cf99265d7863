#include "core/ansi.h"

#include "core/utf8.h"

enum { TEXT, ESCAPE, CSI, STRING, STRING_ESCAPE, ONE_MORE };

static const char replacement[] = "\xEF\xBF\xBD";

static void broken(struct ansi *st, struct strbuf *out)
{
	if (st->want != 0)
		strbuf_add(out, replacement, 3);
	st->want = st->have = 0;
}

static int sequence_length(unsigned char c)
{
	return c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
}

static void high_byte(struct ansi *st, unsigned char c, struct strbuf *out)
{
	if (st->want == 0 || (c & 0xC0) != 0x80) {
		broken(st, out);
		st->want = sequence_length(c);
		st->rune[0] = (char)c;
		st->have = 1;
		if (st->want == 0)
			strbuf_add(out, replacement, 3);
		return;
	}
	st->rune[st->have++] = (char)c;
	if (st->have < st->want)
		return;
	/* C1 controls (U+0080 … U+009F) start sequences on some terminals: they are no text either. */
	int c1 = st->want == 2 && (unsigned char)st->rune[0] == 0xC2 && (unsigned char)st->rune[1] < 0xA0;
	if (!utf8_valid(st->rune, (size_t)st->want))
		strbuf_add(out, replacement, 3);
	else if (!c1)
		strbuf_add(out, st->rune, (size_t)st->want);
	st->want = st->have = 0;
}

static void text_byte(struct ansi *st, unsigned char c, struct strbuf *out)
{
	if (c >= 0x80) {
		if (st->cr)
			strbuf_putc(out, '\n');
		st->cr = 0;
		high_byte(st, c, out);
		return;
	}
	broken(st, out);
	if (c == '\r') {
		st->cr = 1;
		return;
	}
	if (c == 0x1B) {
		st->state = ESCAPE;
		return;
	}
	if (c != '\n' && c != '\t' && (c < 0x20 || c == 0x7F))
		return;
	if (st->cr && c != '\n')
		strbuf_putc(out, '\n');
	st->cr = 0;
	strbuf_putc(out, (char)c);
}

static int after_escape(unsigned char c)
{
	if (c == '[')
		return CSI;
	if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
		return STRING;
	if (c >= 0x20 && c <= 0x2F)
		return ONE_MORE; /* ESC ( B and the like: intermediates, then one final */
	return c == 0x1B ? ESCAPE : TEXT;
}

void ansi_strip(struct ansi *st, const char *p, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		switch (st->state) {
		case ESCAPE:
			st->state = after_escape(c);
			break;
		case CSI: /* parameters and intermediates, then a final 0x40 … 0x7E */
			if (c >= 0x40 && c <= 0x7E)
				st->state = TEXT;
			else if (c == 0x1B)
				st->state = ESCAPE;
			else if (c < 0x20 || c >= 0x80)
				st->state = TEXT;
			break;
		case STRING: /* up to BEL or ESC \ */
			if (c == 0x07 || c == 0x18 || c == 0x1A)
				st->state = TEXT;
			else if (c == 0x1B)
				st->state = STRING_ESCAPE;
			break;
		case STRING_ESCAPE:
			st->state = c == '\\' ? TEXT : after_escape(c);
			break;
		case ONE_MORE:
			if (c < 0x20 || c > 0x2F)
				st->state = TEXT;
			break;
		default:
			text_byte(st, c, out);
		}
	}
}

void ansi_end(struct ansi *st, struct strbuf *out)
{
	broken(st, out);
	if (st->cr)
		strbuf_putc(out, '\n');
	st->cr = 0;
}
