#include "dispatch/access.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "core/arena.h"

/* Plain ASCII without what would make the address mean something else: user names, queries,
 * fragments, spaces. */
static bool plain_url(const char *url)
{
	for (const char *p = url; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7F || strchr("@?#\\\"<>{}|^`%", *p) != NULL)
			return false;
	}
	return true;
}

/* Literals only: what a name resolves to can change.  libcurl itself takes "localhost" for
 * loopback. */
static bool loopback(const char *host)
{
	unsigned char raw[16];
	static const unsigned char one[16] = { [15] = 1 };

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, raw) == 1)
		return raw[0] == 127;
	return inet_pton(AF_INET6, host, raw) == 1 && memcmp(raw, one, sizeof one) == 0;
}

static char *host_of(const char *rest)
{
	bool bracket = *rest == '[';
	size_t len = strcspn(rest + bracket, bracket ? "]" : ":/");
	char *host = xmalloc(len + 1);

	memcpy(host, rest + bracket, len);
	host[len] = '\0';
	return host;
}

static enum err take_socket(struct access *x, const char *path, struct errinfo *e)
{
	if (path[0] != '/' || strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return err_set(
			e, ERR_BAD_INPUT, 0,
			"CHOMP_SANDBOX_URL: unix: wants an absolute path of at most 107 bytes");
	x->socket = xstrdup(path);
	x->base = xstrdup("http://localhost");
	x->local = true;
	return ERR_OK;
}

enum err access_url(const char *name, const char *url, char **base, bool *tls, bool *local,
		    struct errinfo *e)
{
	const char *rest;

	*base = NULL;
	*tls = strncmp(url, "https://", 8) == 0;
	if (!*tls && strncmp(url, "http://", 7) != 0)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: http:// or https:// is wanted", name);
	rest = strchr(url, ':') + 3;
	char *host = host_of(rest);
	bool good = *host != '\0' && plain_url(url);
	*local = loopback(host);
	free(host);
	if (!good)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "%s: scheme, host, port and path only are wanted", name);
	*base = xstrdup(url);
	for (size_t len = strlen(*base); len > 0 && (*base)[len - 1] == '/'; len--)
		(*base)[len - 1] = '\0';
	return ERR_OK;
}

static enum err take_url(struct access *x, const char *url, bool *tls, struct errinfo *e)
{
	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "CHOMP_SANDBOX_URL: unix:/path, http:// or https:// is wanted");
	return access_url("CHOMP_SANDBOX_URL", url, &x->base, tls, &x->local, e);
}

/* The secret becomes a header line: printable ASCII, no spaces. */
bool access_fits_header(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s >= 0x7F)
			return false;
	}
	return true;
}

static enum err read_secret(struct access *x, struct errinfo *e)
{
	struct arena a = { 0 };
	const char *text = NULL;
	enum err rc = secret_read_file(x->secret_file, &a, &text, e);

	if (rc == ERR_OK && !access_fits_header(text))
		rc = err_set(e, ERR_BAD_INPUT, 0, "%s: a secret is printable ASCII without spaces",
			     x->secret_file);
	if (rc == ERR_OK)
		memcpy(x->secret, text, strlen(text) + 1); /* at most SECRET_MAX bytes were read */
	arena_reset(&a);
	return rc;
}

enum err access_init(struct access *x, const char *url, const char *secret_file, bool named,
		     struct errinfo *e)
{
	bool tls = false;
	enum err rc;

	memset(x, 0, sizeof *x);
	x->secret_file = xstrdup(secret_file);
	if (strncmp(url, "unix:", 5) == 0)
		rc = take_socket(x, url + 5, e);
	else
		rc = take_url(x, url, &tls, e);
	if (rc != ERR_OK)
		return rc;
	rc = read_secret(x, e);
	if (rc != ERR_OK && (rc != ERR_NOT_FOUND || named))
		return rc;
	if (x->secret[0] != '\0' && !tls && !x->local)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "CHOMP_SANDBOX_URL: the secret does not go over plain http to "
			       "another machine; use https://");
	if (x->secret[0] == '\0' && !x->local)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "CHOMP_SANDBOX_URL: a host elsewhere wants a secret; name its file "
			       "in CHOMP_SANDBOX_SECRET_FILE");
	return ERR_OK;
}

void access_release(struct access *x)
{
	free(x->base);
	free(x->socket);
	free(x->secret_file);
	explicit_bzero(x, sizeof *x);
}

bool access_reread(struct access *x)
{
	char old[SECRET_MAX + 1];
	bool changed;

	memcpy(old, x->secret, sizeof old);
	changed = read_secret(x, NULL) == ERR_OK && strcmp(old, x->secret) != 0;
	explicit_bzero(old, sizeof old);
	return changed;
}
