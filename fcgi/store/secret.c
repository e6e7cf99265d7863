#include "store/secret.h"

#include <dirent.h>
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

enum { SIGNED_OUT_KEPT_S = 31 * 24 * 3600 };

enum err secret_read(const char *var, const char *name, struct arena *a, const char **out, struct errinfo *e)
{
	int dirfd = open_secrets(var, a, e);

	if (dirfd < 0)
		return ERR_IO;
	enum err rc = read_line(dirfd, name, a, out, e);
	close(dirfd);
	return rc;
}

static bool same_file(const struct secret_cache *c, size_t i, const struct stat *st)
{
	return c->kept[i].dev == st->st_dev && c->kept[i].ino == st->st_ino && c->kept[i].size == st->st_size &&
	       c->kept[i].changed_s == st->st_ctim.tv_sec && c->kept[i].changed_ns == st->st_ctim.tv_nsec;
}

/* Looked at before it is read: when it is replaced in between, the next request reads it once more. */
enum err secret_recall(struct secret_cache *c, const char *var, const char *name, struct arena *a, const char **out,
		       struct errinfo *e)
{
	struct stat st;
	size_t i = 0;

	while (i < SECRETS_KEPT && c->kept[i].name != NULL && strcmp(c->kept[i].name, name) != 0)
		i++;
	if (i == SECRETS_KEPT || lstat(arena_printf(a, "%s/secrets/%s", var, name), &st) < 0)
		return secret_read(var, name, a, out, e);
	if (c->kept[i].name == NULL || !same_file(c, i, &st)) {
		enum err rc = secret_read(var, name, a, out, e);
		if (rc != ERR_OK || strlen(*out) > SECRET_MAX)
			return rc;
		c->kept[i].name = name;
		c->kept[i].dev = st.st_dev;
		c->kept[i].ino = st.st_ino;
		c->kept[i].size = st.st_size;
		c->kept[i].changed_s = st.st_ctim.tv_sec;
		c->kept[i].changed_ns = st.st_ctim.tv_nsec;
		memcpy(c->kept[i].text, *out, strlen(*out) + 1);
	}
	*out = arena_strdup(a, c->kept[i].text);
	return ERR_OK;
}

enum err secret_read_file(const char *path, struct arena *a, const char **out, struct errinfo *e)
{
	return read_line(AT_FDCWD, path, a, out, e);
}

static enum err write_new(int dirfd, const char *name, struct errinfo *e)
{
	uint8_t raw[32];
	char text[MAC_B64 + 5]; /* room for the padding the encoder writes, and a newline */

	rand_bytes(raw, sizeof raw);
	base64url_encode(text, raw, sizeof raw);
	size_t len = strlen(text);
	text[len] = '\n';
	return file_replace(dirfd, name, text, len + 1, 0600, e);
}

enum err secret_ensure(const char *var, const char *name, struct errinfo *e)
{
	struct arena a = { 0 };
	const char *old;
	int dirfd = open_secrets(var, &a, e);
	enum err rc = ERR_IO;

	if (dirfd >= 0) {
		rc = read_line(dirfd, name, &a, &old, e);
		if (rc == ERR_NOT_FOUND)
			rc = write_new(dirfd, name, e);
		close(dirfd);
	}
	arena_reset(&a);
	return rc;
}

enum err secret_renew(const char *var, const char *name, struct errinfo *e)
{
	struct arena a = { 0 };
	int dirfd = open_secrets(var, &a, e);
	enum err rc = dirfd >= 0 ? write_new(dirfd, name, e) : ERR_IO;

	if (dirfd >= 0)
		close(dirfd);
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

/* ---- signing out ---- */
static void sweep(int dirfd, int64_t now)
{
	int copy = dup(dirfd);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;
	struct stat st;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' && fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now / 1000 - (int64_t)st.st_mtime > SIGNED_OUT_KEPT_S)
			(void)unlinkat(dirfd, entry->d_name, 0); /* another process may be sweeping too */
	}
	closedir(dir);
}

enum err secret_sign_out(const char *var, const char *nonce, int64_t now, struct errinfo *e)
{
	struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s/secrets/signed_out", var);
	enum err rc = ERR_OK;
	int dirfd = -1, fd = -1;

	if (make_dir(AT_FDCWD, path, 0700) < 0 || (dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    (fd = openat(dirfd, nonce, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0 || fsync(dirfd) < 0)
		rc = err_set(e, ERR_IO, errno, "write %s", path);
	if (rc == ERR_OK)
		sweep(dirfd, now);
	if (fd >= 0)
		close(fd);
	if (dirfd >= 0)
		close(dirfd);
	arena_reset(&a);
	return rc;
}

bool secret_signed_out(const char *var, const char *nonce)
{
	struct arena a = { 0 };
	bool out = access(arena_printf(&a, "%s/secrets/signed_out/%s", var, nonce), F_OK) == 0;

	arena_reset(&a);
	return out;
}
