/*
 * chomp-store: the state's files, from outside the services.  Called by chompctl (fsck, compact, backup, restore).
 *
 *   chomp-store fsck [--repair] VAR     exit status 1 when something is wrong (with --repair: was, and could be mended)
 *   chomp-store compact VAR
 *   chomp-store export VAR DIR          the state of this moment into the empty directory VAR/DIR
 *   chomp-store import VAR DIR          make VAR/state/DIR the state; nothing of chomp may run
 *
 * Started as root it becomes the owner of VAR/state first: what lies there could be a symbolic link.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/instance.h"
#include "core/log.h"
#include "store/check.h"
#include "store/store.h"
#include "store/transfer.h"

enum { EXIT_FAULTS = 1, EXIT_FAILED = 2 };

static noreturn void failed(const char *what, const char *why)
{
	(void)dprintf(2, "chomp-store: %s: %s\n", what, why);
	_exit(EXIT_FAILED);
}

/* From here on all paths are relative: the owner of the state may not be able to walk to it. */
static void become_owner(const char *var)
{
	struct stat st;

	if (chdir(var) < 0 || stat("state", &st) < 0)
		failed(var, strerror(errno));
	if (geteuid() != 0 || st.st_uid == 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
		failed("become the state's owner", strerror(errno));
}

static void say(const char *line)
{
	(void)dprintf(1, "%s\n", line);
}

static int fsck(bool repair)
{
	struct findings f;
	struct errinfo e = { 0 };

	if (store_check(".", repair, say, &f, &e) != ERR_OK)
		failed("fsck", e.what);
	(void)dprintf(1, "%lld lines, %lld tasks, %lld artifacts: %d faults\n", f.lines, f.tasks, f.artifacts, f.faults);
	return f.faults > 0 ? EXIT_FAULTS : 0;
}

static int compact(void)
{
	struct store *s;
	struct errinfo e = { 0 };
	int64_t before;

	if (store_open(&s, ".", STORE_WRITER, &e) != ERR_OK)
		failed("open the state", e.what);
	before = store_counts(s).bytes;
	if (store_writable(s, &e) != ERR_OK || store_compact(s, &e) != ERR_OK || store_snapshot(s, &e) != ERR_OK)
		failed("compact", e.what);
	(void)dprintf(1, "tasks.log: %lld bytes, were %lld\n", (long long)store_counts(s).bytes, (long long)before);
	store_close(s);
	return 0;
}

static int export(const char *dir)
{
	struct errinfo e = { 0 };

	if (transfer_export(".", dir, &e) != ERR_OK)
		failed("backup", e.what);
	return 0;
}

static int import(const char *dir)
{
	struct errinfo e = { 0 };

	if (instance_alive("run/dispatch/lock"))
		failed("restore", "chomp is running; stop it first");
	if (transfer_import(".", dir, &e) != ERR_OK)
		failed("restore", e.what);
	return 0;
}

static noreturn void usage(void)
{
	(void)dprintf(2, "usage: chomp-store fsck [--repair] VAR | compact VAR | export VAR DIR | import VAR DIR\n");
	_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool repair = argc == 4 && strcmp(verb, "fsck") == 0 && strcmp(argv[2], "--repair") == 0;

	log_init("store");
	umask(077);
	if (repair || (argc == 3 && strcmp(verb, "fsck") == 0)) {
		become_owner(argv[repair ? 3 : 2]);
		return fsck(repair);
	}
	if (argc == 3 && strcmp(verb, "compact") == 0) {
		become_owner(argv[2]);
		return compact();
	}
	if (argc != 4 || (strcmp(verb, "export") != 0 && strcmp(verb, "import") != 0))
		usage();
	become_owner(argv[2]);
	return strcmp(verb, "export") == 0 ? export(argv[3]) : import(argv[3]);
}
