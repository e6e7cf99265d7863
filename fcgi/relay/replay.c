#include "relay/replay.h"

#include <string.h>

enum { ENQ = 0x05, BEL = 0x07, CAN = 0x18, SUB = 0x1A, ESC = 0x1B, DEL = 0x7F, LEAD = 0xC2 /* of U+0080 to U+009F */ };
enum { C1_DCS = 0x90, C1_SOS = 0x98, C1_CSI = 0x9B, C1_ST = 0x9C, C1_OSC = 0x9D, C1_PM = 0x9E, C1_APC = 0x9F };
enum state { GROUND, ESCAPE, CSI, OSC, DCS, STRING /* SOS, PM, APC */ };
enum mode { HOLD, PASS, DROP }; /* the last two: the sequence is too long to be held */

/* ---- what a sequence wants ---- */
/*
 * Reads the characters of a sequence without those that a terminal acts on in its midst, or ignores: broken UTF-8 is
 * dropped before it is looked at.
 */
struct reader {
	const char *p, *end;
};

static int next(struct reader *r)
{
	while (r->p < r->end) {
		unsigned char c = (unsigned char)*r->p++;
		if (c >= 0x20 && c < DEL)
			return c;
	}
	return -1;
}

/* Behind the introducer: ESC and a character, or the two bytes of the one-character form. */
static struct reader behind_introducer(const char *p, size_t len)
{
	bool one = (unsigned char)*p == LEAD;
	struct reader r = { one ? p + 2 : p, p + len };

	if (!one)
		(void)next(&r); /* the [, ] or P: ESC is a control character */
	return r;
}

/* CSI and DCS begin alike: a private mark, numbers, intermediate characters, the final one (-1: not there). */
struct shape {
	int mark, first, between, final;
};

static struct shape shape_of(const char *p, size_t len)
{
	struct reader r = behind_introducer(p, len);
	struct shape s = { 0 };
	bool in_first = true;
	int c;

	while ((c = next(&r)) >= 0 && c < 0x40) { /* in whatever order: some terminals are lax */
		if (c < 0x30)
			s.between = c;
		else if (c >= '<')
			s.mark = c;
		else if (c > '9')
			in_first = false;
		else if (in_first && s.first < 10000)
			s.first = s.first * 10 + c - '0';
	}
	s.final = c;
	return s;
}

static bool csi_asks(const char *p, size_t len)
{
	struct shape s = shape_of(p, len);

	switch (s.final) {
	case 'c': /* device attributes */
	case 'n': /* status */
	case 'x': /* parameters */
		return true;
	case 't': /* window: from 11 on there are answers, and titles that are kept and given back */
		return s.first >= 11;
	case 'p': /* modes */
	case 'w': /* presentation */
		return s.between == '$';
	case 'y': /* checksum of a rectangle */
		return s.between == '*';
	case 'q': /* version */
		return s.mark == '>';
	case 'm': /* modified keys */
	case 'S': /* graphics */
		return s.mark == '?';
	case 'u': /* keyboard, character sets */
		return s.mark == '?' || s.between != 0;
	default:
		return false;
	}
}

static bool dcs_asks(const char *p, size_t len)
{
	struct shape s = shape_of(p, len);

	return s.final < 0 || (s.final == 'q' && s.between != 0);
}

/* -1: it begins with no number. */
static int osc_number(const char *p, size_t len)
{
	struct reader r = behind_introducer(p, len);
	int n = 0, c;

	while ((c = next(&r)) >= '0' && c <= '9')
		n = n < 10000 ? n * 10 + c - '0' : n;
	return c == ';' ? n : -1;
}

/* Titles, the working directory, links: nobody answers them, and a link may well have a question mark. */
static bool osc_is_plain(int number)
{
	return (number >= 0 && number <= 2) || number == 7 || number == 8;
}

static bool osc_asks(const char *p, size_t len)
{
	int number = osc_number(p, len);

	return number == 52 || (!osc_is_plain(number) && memchr(p, '?', len) != NULL);
}

static bool asks(enum state kind, const char *p, size_t len)
{
	switch (kind) {
	case ESCAPE:
		return len > 0 && p[len - 1] == 'Z'; /* DECID */
	case CSI:
		return csi_asks(p, len);
	case OSC:
		return osc_asks(p, len);
	case DCS:
		return dcs_asks(p, len);
	case GROUND:
	case STRING:
		break;
	}
	return false;
}

/* No honest CSI is that long; of strings only those are let through that are known to be harmless. */
static bool too_long_asks(enum state kind, const char *p, size_t len)
{
	if (kind == OSC)
		return !osc_is_plain(osc_number(p, len));
	return kind == DCS ? dcs_asks(p, len) : kind != STRING;
}

/* ---- where it begins and ends ---- */
struct out {
	char *at;
};

enum how { AS_IS, BLANK, ERASE };

/*
 * What is erased leaves ST (ESC \\ or U+009C) in its first two bytes, without which a sequence that it broke off, as any
 * escape does, would go on with the text behind it.
 */
static void emit(struct replay *st, size_t n, enum how how, struct out *o)
{
	if (how == AS_IS)
		memcpy(o->at, st->held, n);
	else
		memset(o->at, 0, n);
	if (how == ERASE && n >= 2) {
		o->at[0] = st->held[0];
		o->at[1] = (char)(st->held[0] == ESC ? '\\' : C1_ST);
	}
	o->at += n;
	st->held_len -= n;
	memmove(st->held, st->held + n, st->held_len);
}

/* The sequence ends before the last `keep` bytes, with which `state` begins. */
static void finish(struct replay *st, size_t keep, enum state state, struct out *o)
{
	size_t n = st->held_len - keep;

	bool erase = st->mode == HOLD && asks((enum state)st->state, st->held, n);

	emit(st, n, st->mode == DROP ? BLANK : erase ? ERASE : AS_IS, o);
	st->mode = HOLD;
	st->state = state;
}

/* The sequence goes on. */
static void go_on(struct replay *st, struct out *o)
{
	if (st->state == GROUND) {
		finish(st, 0, GROUND, o);
	} else if (st->mode != HOLD) {
		emit(st, st->held_len, st->mode == DROP ? BLANK : AS_IS, o);
	} else if (st->held_len >= REPLAY_HELD - 2) { /* a lead and what follows it find room */
		st->mode = too_long_asks((enum state)st->state, st->held, st->held_len) ? DROP : PASS;
		emit(st, st->held_len, st->mode == DROP ? ERASE : AS_IS, o);
	}
}

/* A control character that means the same everywhere; its bytes are the last `width` held. */
static void control(struct replay *st, unsigned char c, size_t width, struct out *o)
{
	switch (c) {
	case ESC:
		finish(st, width, ESCAPE, o);
		break;
	case C1_CSI:
		finish(st, width, CSI, o);
		break;
	case C1_OSC:
		finish(st, width, OSC, o);
		break;
	case C1_DCS:
		finish(st, width, DCS, o);
		break;
	case C1_SOS:
	case C1_PM:
	case C1_APC:
		finish(st, width, STRING, o);
		break;
	default: /* CAN, SUB, ST and the like */
		finish(st, 0, GROUND, o);
		break;
	}
}

static void after_escape(struct replay *st, unsigned char c, struct out *o)
{
	struct reader r = { st->held, st->held + st->held_len };

	if (next(&r) != c)
		; /* behind an intermediate character none of these begins anything */
	else if (c == '[')
		st->state = CSI;
	else if (c == ']')
		st->state = OSC;
	else if (c == 'P')
		st->state = DCS;
	else if (c == 'X' || c == '^' || c == '_')
		st->state = STRING;
	if (st->state == ESCAPE && c >= 0x30 && c < DEL)
		finish(st, 0, GROUND, o);
	else
		go_on(st, o);
}

static void take(struct replay *st, unsigned char c, struct out *o)
{
	bool lead = st->lead;

	st->lead = false;
	if (lead && (c < 0x80 || c > 0xBF))
		go_on(st, o); /* it was none: no such character */
	else if (lead && c <= 0x9F) {
		st->held[st->held_len++] = (char)c;
		control(st, c, 2, o);
		return;
	}
	st->held[st->held_len++] = (char)(c == ENQ && st->state < OSC ? 0 : c);
	if (c == LEAD)
		st->lead = true;
	else if (c == ESC || c == CAN || c == SUB)
		control(st, c, 1, o);
	else if (st->state == ESCAPE)
		after_escape(st, c, o);
	else if ((st->state == CSI && c >= 0x40 && c < DEL) || (st->state == OSC && c == BEL))
		finish(st, 0, GROUND, o);
	else
		go_on(st, o);
}

void replay_filter(struct replay *st, const char *p, size_t len, char *out, size_t *out_len)
{
	struct out o = { out };

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		if (st->state == GROUND && !st->lead && c != ESC && c != ENQ && c != LEAD)
			*o.at++ = (char)c; /* nearly all there is */
		else
			take(st, c, &o);
	}
	*out_len = (size_t)(o.at - out);
}

size_t replay_rewind(struct replay *st)
{
	size_t n = st->held_len;

	st->held_len = 0;
	st->lead = false;
	if (st->mode == HOLD) /* else the beginning of the sequence has gone out: it goes on */
		st->state = GROUND;
	return n;
}

void replay_end(struct replay *st, char *out, size_t *out_len)
{
	memcpy(out, st->held, st->held_len);
	*out_len = st->held_len;
	memset(st, 0, sizeof *st);
}
