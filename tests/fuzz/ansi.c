/* Terminal bytes: text without control characters comes out, the same however they are cut.  The
 * first byte says how. */
#include "fuzz.h"

#include "core/ansi.h"
#include "core/utf8.h"

static void strip(struct strbuf *out, const char *p, size_t n, size_t step)
{
	struct ansi st = { 0 };

	strbuf_init(out);
	for (size_t i = 0; i < n; i += step)
		ansi_strip(&st, p + i, n - i < step ? n - i : step, out);
	ansi_end(&st, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct strbuf whole, pieces;

	if (n == 0 || n > FUZZ_MAX)
		return 0;
	strip(&whole, (const char *)p + 1, n - 1, n);
	strip(&pieces, (const char *)p + 1, n - 1, p[0] % 16U + 1);
	assert(whole.len == pieces.len && memcmp(whole.buf, pieces.buf, whole.len) == 0);
	assert(utf8_valid(whole.buf, whole.len));
	for (size_t i = 0; i < whole.len; i++) {
		unsigned char c = (unsigned char)whole.buf[i];
		assert((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t');
		assert(c != 0xC2 || (unsigned char)whole.buf[i + 1] >= 0xA0); /* C1 */
	}
	strbuf_release(&whole);
	strbuf_release(&pieces);
	return 0;
}
