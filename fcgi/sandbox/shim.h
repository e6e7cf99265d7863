/*
 * One shim stands beside each sandbox and outlives everything but the box: it owns the terminal,
 * the log, the time-out and the exit record.  It parses nothing and holds no secret longer than it
 * takes to start the box, but those it blanks in what the terminal shows.
 *
 * Handed over by chomp-sandbox: options (shim_main.c), the command, and at fixed places:
 */
#ifndef CHOMP_SANDBOX_SHIM_H
#define CHOMP_SANDBOX_SHIM_H

#include "sandbox/limits.h"
#include "sandbox/network.h"

enum shim_fd {
	SHIM_FD_LOCK = 3,  /* the sandbox's lock, held */
	SHIM_FD_DIR = 4,   /* the sandbox's directory */
	SHIM_FD_READY = 5, /* one byte SHIM_READY once `begun` is on disk; else the reason as text,
			      then EOF */
	SHIM_FD_ENV = 6,   /* environment of the command, NAME=value strings, each with its NUL */
	SHIM_FD_ARGS = 7,  /* from here on handed through to the command: bwrap's options … */
	SHIM_FD_TOKEN = 8, /* … and the files it puts into the box */
	SHIM_FD_PROMPT = 9,
	SHIM_FD_HISTORY = 10,
	SHIM_FD_SECCOMP = 11, /* the filter */
	SHIM_FD_SECRETS = 12, /* to be blanked: values, each with its NUL; not handed through */
	SHIM_FD_STATUS = 13,  /* made by the shim: bwrap reports here (--json-status-fd) */
};
#define SHIM_READY '+'

enum { SHIM_TERM_MS = 2500 /* between the polite signal and the other one */ };
#define SHIM_LOG_MAX (INT64_C(256) * 1024 * 1024)

struct shim_conf {
	int timeout_s;
	const char *cgroup, *name; /* delegated directory and the box's name in it; cgroup NULL: there is none */
	struct limits limits;
	struct network_conf network;
	char **command;
};

/* Run the command until the last of its processes is gone.  Returns the exit status of the shim: 0,
 * or 1 when the box never began. */
int shim_run(const struct shim_conf *conf);

/* Whether the command runs in the namespaces of a box: what becomes of it is this process's end. */
int shim_probe(char **command);

#endif
