/*
 * The box, from the outside in: namespaces of its own (its network is made before bwrap starts: network.h), uid and
 * gid 1000 without capabilities, a filter of system calls (seccomp.h), the host's programs read-only, a handful of
 * /etc, /proc and /dev of its own, and two directories to write in besides /tmp.  The root itself is made read-only
 * last.
 *
 * No --new-session: the box has a terminal of its own as controlling terminal, there is no other to
 * inject into, and job control and Ctrl-C need it.  No secret is ever in an option: the list is
 * readable in /proc/<pid>/cmdline.
 */
#include "sandbox/argv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/shim.h"

static void add(struct strbuf *out, const char *const *words)
{
	for (; *words != NULL; words++)
		strbuf_add(out, *words, strlen(*words) + 1);
}
#define ADD(out, ...) add(out, (const char *const[]){ __VA_ARGS__, NULL })

static void add_namespaces(struct strbuf *out)
{
	ADD(out, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
	    "--unshare-cgroup-try");
	ADD(out, "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--die-with-parent");
}

/* /bin and its like are links into /usr on a merged system, directories on others. */
static void add_system(struct strbuf *out, int64_t tmp)
{
	static const char *const dirs[] = {
		"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"
	};
	char target[256], size[32];
	struct stat st;

	ADD(out, "--ro-bind", "/usr", "/usr");
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		if (lstat(dirs[i], &st) < 0)
			continue;
		ssize_t n = S_ISLNK(st.st_mode) ? readlink(dirs[i], target, sizeof target - 1) : 0;
		if (n > 0) {
			target[n] = '\0';
			ADD(out, "--symlink", target, dirs[i]);
		} else if (S_ISDIR(st.st_mode)) {
			ADD(out, "--ro-bind", dirs[i], dirs[i]);
		}
	}
	ADD(out, "--proc", "/proc", "--dev", "/dev");
	/* Memory, all of it: without a size each could take half of the machine's. */
	(void)snprintf(size, sizeof size, "%" PRId64, tmp);
	ADD(out, "--perms", "1777", "--size", size, "--tmpfs", "/tmp");
	ADD(out, "--perms", "1777", "--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev");
	/* Parents that bwrap makes by itself come out closed to all but their owner. */
	ADD(out, "--dir", "/etc", "--dir", "/home", "--dir", "/opt", "--dir", "/run", "--dir",
	    "/run/chomp");
	ADD(out, "--dir", "/var", "--symlink", "/tmp", "/var/tmp", "--symlink", "/run", "/var/run");
}

/* `own`: the box has a network of its own, and asks for names there; else as the host does. */
static void add_etc(struct strbuf *out, const struct box_host *h, bool own)
{
	static const char *const files[] = {
		"alternatives",
		"ca-certificates",
		"ca-certificates.conf",
		"debian_version",
		"fonts",
		"gai.conf",
		"host.conf",
		"hosts",
		"inputrc",
		"ld.so.cache",
		"ld.so.conf",
		"ld.so.conf.d",
		"localtime",
		"magic",
		"mime.types",
		"nsswitch.conf",
		"os-release",
		"perl",
		"pki",
		"protocols",
		"python3",
		"rpc",
		"services",
		"ssl",
		"terminfo",
		"timezone",
	};
	char path[64];

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if ((size_t)snprintf(path, sizeof path, "/etc/%s", files[i]) < sizeof path)
			ADD(out, "--ro-bind-try", path, path);
	}
	if (h == NULL)
		return;
	struct strbuf from;
	strbuf_init(&from);
	static const char *const made[] = { "passwd", "group", "resolv.conf" };
	for (size_t i = 0; i < (own ? 3 : 2); i++) {
		strbuf_reset(&from);
		strbuf_printf(&from, "%s/%s", h->etc, made[i]);
		(void)snprintf(path, sizeof path, "/etc/%s", made[i]);
		ADD(out, "--ro-bind", from.buf, path);
	}
	if (!own)
		ADD(out, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf");
	strbuf_release(&from);
}

static void add_writable(struct strbuf *out, const char *where)
{
	struct strbuf from;

	strbuf_init(&from);
	strbuf_printf(&from, "%s/workspace", where);
	ADD(out, "--bind", from.buf, "/workspace");
	strbuf_reset(&from);
	strbuf_printf(&from, "%s/home", where);
	ADD(out, "--bind", from.buf, "/home/agent");
	strbuf_release(&from);
}

/* Read from memory the shim hands through; never on the host's disk. */
static void add_file(struct strbuf *out, enum shim_fd fd, const char *path)
{
	char number[16];

	(void)snprintf(number, sizeof number, "%d", (int)fd);
	ADD(out, "--perms", "0400", "--ro-bind-data", number, path);
}

void argv_box(struct strbuf *out, const struct box_host *h, const struct dispatch *d,
	      const char *where, const struct source *source)
{
	char text[64];

	add_namespaces(out);
	(void)snprintf(text, sizeof text, "task-%s", d->task);
	ADD(out, "--hostname", text);
	add_system(out, h->limits->tmp);
	add_etc(out, h, d->network != NETWORK_HOST);
	add_writable(out, where);
	ADD(out, "--ro-bind", h->scripts, "/opt/chomp");
	if (h->agents != NULL)
		ADD(out, "--ro-bind", h->agents, "/opt/agents");
	if (h->callback != NULL) /* the directory: a restarted nginx makes a new socket in it */
		ADD(out, "--ro-bind", h->callback, "/run/chomp/api");
	add_file(out, SHIM_FD_TOKEN, "/run/chomp/token");
	add_file(out, SHIM_FD_PROMPT, "/run/chomp/prompt");
	add_file(out, SHIM_FD_HISTORY, "/run/chomp/history.json");
	if (source != NULL)
		ADD(out, "--ro-bind", source->from, source->to);
	ADD(out, "--remount-ro", "/", "--chdir", "/workspace");
	(void)snprintf(text, sizeof text, "%d", SHIM_FD_SECCOMP);
	ADD(out, "--seccomp", text);
	(void)snprintf(text, sizeof text, "%d", SHIM_FD_STATUS);
	ADD(out, "--json-status-fd", text);
}

void argv_probe(struct strbuf *out)
{
	add_namespaces(out);
	add_system(out, 1 << 20);
	add_etc(out, NULL, true);
	ADD(out, "--remount-ro", "/");
}

static void set(struct strbuf *out, const char *name, const char *value)
{
	strbuf_printf(out, "%s=%s", name, value != NULL ? value : "");
	strbuf_putc(out, '\0');
}

static void set_if(struct strbuf *out, const char *name, const char *value)
{
	if (value != NULL)
		set(out, name, value);
}

void argv_env(struct strbuf *out, const struct box_host *h, const struct dispatch *d,
	      const struct source *source)
{
	char number[32];

	set(out, "PATH", "/opt/chomp:/usr/local/bin:/usr/bin:/bin");
	set(out, "HOME", "/home/agent");
	set(out, "LANG", "C.UTF-8");
	set(out, "TERM", "xterm-256color");
	set(out, "CHOMP_API", d->callback_url);
	if (h->callback != NULL)
		set(out, "CHOMP_API_SOCKET", "/run/chomp/api/api.sock");
	set(out, "CHOMP_TOKEN_FILE", "/run/chomp/token");
	set(out, "TASK_PROMPT_FILE", "/run/chomp/prompt");
	set(out, "CHOMP_HISTORY_FILE", "/run/chomp/history.json");
	set(out, "TASK_ID", d->task);
	set(out, "SESSION_ID", d->session);
	set(out, "AGENT", d->agent);
	set(out, "MODEL", d->model);
	set(out, "ROUTER", d->router);
	set(out, "TASK_REPO_URL", d->repo_url);
	set(out, "TASK_BRANCH", d->branch);
	if (source != NULL)
		set(out, "TASK_SOURCE", "/source");
	else
		set_if(out, "TASK_SUBDIR", d->dir);
	set_if(out, "AGENT_COMMAND", d->command);
	(void)snprintf(number, sizeof number, "%lld", (long long)d->timeout_s);
	set(out, "CHOMP_TIMEOUT", number);
	for (size_t i = 0; i < d->env_len; i++)
		set(out, d->env[i].name, d->env[i].value);
}

/* What the dispatcher sends besides keys: a budget or a line of a gate's script is text that an agent may well print. */
static bool is_setting(const char *name)
{
	static const char *const settings[] = { "CUSTOM_BASE_URL", "CUSTOM_API", "GATE_SCRIPT",
						"GATE_EDITS", "TOKEN_BUDGET", "TOKENS_LEFT" };

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		if (strcmp(name, settings[i]) == 0)
			return true;
	}
	return false;
}

void argv_secrets(struct strbuf *out, const struct dispatch *d)
{
	strbuf_add(out, d->callback_token, strlen(d->callback_token) + 1);
	for (size_t i = 0; i < d->env_len; i++) {
		if (!is_setting(d->env[i].name))
			strbuf_add(out, d->env[i].value, strlen(d->env[i].value) + 1);
	}
}
