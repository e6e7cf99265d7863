#include "store/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mac.h"
#include "core/rand.h"

static int open_secrets(const char *var, struct arena *a, struct errinfo *e)
{
	int dirfd = open(arena_printf(a, "%s/secrets", var), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		err_set(e, ERR_IO, errno, "open %s/secrets", var);
	return dirfd;
}

static enum err read_line(int dirfd, const char *name, struct arena *a, const char **out, struct errinfo *e)
{
	char *text;
	enum err rc = file_read(dirfd, name, SECRET_MAX, a, &text, NULL, e);

	if (rc != ERR_OK)
		return rc;
	text[strcspn(text, "\r\n")] = '\0';
	if (strlen(text) < SECRET_MIN)
		return err_set(e, ERR_CORRUPT, 0, "%s: a secret has at least %d characters", name, SECRET_MIN);
	*out = text;
	return ERR_OK;
}

enum err secret_read(const char *var, const char *name, struct arena *a, const char **out, struct errinfo *e)
{
	int dirfd = open_secrets(var, a, e);

	if (dirfd < 0)
		return ERR_IO;
	enum err rc = read_line(dirfd, name, a, out, e);
	close(dirfd);
	return rc;
}

enum err secret_read_file(const char *path, struct arena *a, const char **out, struct errinfo *e)
{
	return read_line(AT_FDCWD, path, a, out, e);
}

enum err secret_ensure(const char *var, const char *name, struct errinfo *e)
{
	struct arena a = { 0 };
	const char *old;
	uint8_t raw[32];
	char text[MAC_B64 + 4]; /* room for the padding the encoder writes */
	int dirfd = open_secrets(var, &a, e);
	enum err rc = ERR_IO;

	if (dirfd >= 0) {
		rc = read_line(dirfd, name, &a, &old, e);
		if (rc == ERR_NOT_FOUND) {
			rand_bytes(raw, sizeof raw);
			base64url_encode(text, raw, sizeof raw);
			const char *line = arena_printf(&a, "%s\n", text);
			rc = file_replace(dirfd, name, line, strlen(line), 0600, e);
		}
		close(dirfd);
	}
	arena_reset(&a);
	return rc;
}

bool secret_spend_code(const char *var, const char *code, int64_t now)
{
	struct arena a = { 0 };
	struct stat st;
	uint8_t digest[MAC_LEN];
	char hex[MAC_HEX];
	bool good = false;
	int dirfd = open_secrets(var, &a, NULL);

	if (dirfd >= 0) {
		sha256(code, strlen(code), digest);
		hex_encode(hex, digest, sizeof digest);
		const char *name = arena_printf(&a, "codes/%s", hex);
		bool there = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
		/* Whoever removes it has it: two requests with one code cannot both succeed. */
		if (there && unlinkat(dirfd, name, 0) == 0)
			good = now - (int64_t)st.st_mtime * 1000 <= LOGIN_CODE_MS;
		close(dirfd);
	}
	arena_reset(&a);
	return good;
}
