#include "core/hostport.h"

#include <stdio.h>
#include <string.h>

#include "core/number.h"

enum { HOST_MAX = 253 };

bool hostport_split(const char *s, char host[HOSTPORT_MAX], int64_t *port)
{
	const char *colon = strrchr(s, ':');
	size_t len = colon != NULL ? (size_t)(colon - s) : 0;

	if (len == 0 || len > HOST_MAX || *s == '-' || *s == '.' ||
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") < len ||
	    number_parse(colon + 1, 1, 65535, port) < 0)
		return false;
	if (host != NULL) {
		memcpy(host, s, len);
		host[len] = '\0';
	}
	return true;
}

bool hostport_valid(const char *s)
{
	int64_t port;

	return hostport_split(s, NULL, &port);
}

bool hostport_of_url(const char *url, char out[HOSTPORT_MAX])
{
	static const struct {
		const char *scheme;
		int port;
	} known[] = { { "http://", 80 }, { "https://", 443 }, { "ssh://", 22 } };
	const char *host = NULL;
	int port = 22;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strncmp(url, known[i].scheme, strlen(known[i].scheme)) == 0) {
			host = url + strlen(known[i].scheme);
			port = known[i].port;
		}
	}
	bool scp = host == NULL; /* user@host:path */
	if (scp && (strstr(url, "://") != NULL || strchr(url, '@') == NULL))
		return false;
	if (scp)
		host = url;
	size_t len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', len);
	if (at != NULL) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	const char *colon = memchr(host, ':', len);
	if (scp && colon == NULL)
		return false;
	if (scp)
		len = (size_t)(colon - host);
	if (len == 0 || len > HOST_MAX)
		return false;
	if (!scp && colon != NULL)
		(void)snprintf(out, HOSTPORT_MAX, "%.*s", (int)len, host);
	else
		(void)snprintf(out, HOSTPORT_MAX, "%.*s:%d", (int)len, host, port);
	return hostport_valid(out);
}

static bool is_loopback(const char *s)
{
	return strncmp(s, "localhost:", 10) == 0 || strncmp(s, "127.", 4) == 0 || strncmp(s, "0.0.0.0:", 8) == 0;
}

bool hostport_same(const char *a, const char *b)
{
	const char *port_a = strrchr(a, ':'), *port_b = strrchr(b, ':');

	if (port_a == NULL || port_b == NULL || strcmp(port_a, port_b) != 0)
		return false;
	return strcasecmp(a, b) == 0 || (is_loopback(a) && is_loopback(b));
}
