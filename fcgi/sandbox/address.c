#include "sandbox/address.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/number.h"

#define PATH_SIZE (sizeof((struct sockaddr_un *)0)->sun_path)

static bool is_loopback(const char *address, size_t len)
{
	static const char *const names[] = { "127.0.0.1", "localhost" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (len == strlen(names[i]) && strncmp(address, names[i], len) == 0)
			return true;
	}
	return false;
}

enum err address_check(const char *listen, bool has_secret, struct errinfo *e)
{
	const char *colon = strrchr(listen, ':');
	int64_t port = 0;

	if (strncmp(listen, "unix:", 5) == 0) {
		if (listen[5] == '/' && strlen(listen + 5) < PATH_SIZE)
			return ERR_OK;
		return err_set(e, ERR_BAD_INPUT, 0,
			       "--listen: an absolute path of at most %zu bytes is wanted",
			       PATH_SIZE - 1);
	}
	if (colon == NULL || colon == listen || number_parse(colon + 1, 1, 65535, &port) < 0)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "--listen: unix:/path or 127.0.0.1:PORT is wanted");
	if (!has_secret && !is_loopback(listen, (size_t)(colon - listen)))
		return err_set(
			e, ERR_BAD_INPUT, 0,
			"--listen: without a secret only a unix socket or 127.0.0.1 is allowed");
	return ERR_OK;
}

enum err address_check_stale(const char *path, struct errinfo *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct stat st;

	if (lstat(path, &st) < 0)
		return ERR_OK;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_BAD_INPUT, 0, "--listen: %.150s is there and is no socket",
			       path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served =
		fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	if (served)
		return err_set(e, ERR_BAD_INPUT, 0, "--listen: another process serves %.150s",
			       path);
	return ERR_OK;
}
