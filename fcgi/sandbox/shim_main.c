/* chomp-shim OPTIONS COMMAND [ARGUMENT...]: started by chomp-sandbox only; see shim.h. */
#include <getopt.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "core/number.h"
#include "sandbox/shim.h"

static const struct option long_options[] = {
	{ "timeout", required_argument, NULL, 't' }, /* seconds */
	{ "network", required_argument, NULL, 'n' }, /* none internet host */
	{ "allow", required_argument, NULL, 'a' },   /* HOST:PORT, as often as wanted */
	{ "slirp", required_argument, NULL, 's' },
	{ "limits", required_argument, NULL, 'l' },
	{ "cgroup", required_argument, NULL, 'c' },
	{ "name", required_argument, NULL, 'i' },
	{ "probe", no_argument, NULL, 'p' },
	{ 0 },
};

static int parse(int argc, char **argv, struct shim_conf *conf, bool *probe)
{
	int64_t timeout_s = 0;
	int c;

	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (number_parse(optarg, 1, INT32_MAX, &timeout_s) < 0)
				return -1;
			break;
		case 'n':
			conf->network.host = strcmp(optarg, "host") == 0;
			conf->network.internet = strcmp(optarg, "internet") == 0;
			break;
		case 'a':
			if (conf->network.allow_len == NETWORK_ALLOW_MAX)
				return -1;
			conf->network.allow[conf->network.allow_len++] = optarg;
			break;
		case 's':
			conf->network.slirp = optarg;
			break;
		case 'l':
			if (limits_parse(&conf->limits, optarg, NULL) != ERR_OK)
				return -1;
			break;
		case 'c':
			conf->cgroup = optarg;
			break;
		case 'i':
			conf->name = optarg;
			break;
		case 'p':
			*probe = true;
			break;
		default:
			return -1;
		}
	}
	conf->timeout_s = (int)timeout_s;
	conf->command = argv + optind;
	return optind < argc && (*probe || timeout_s > 0) ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct shim_conf conf = { 0 };
	bool probe = false;

	log_init("shim");
	umask(077);
	limits_default(&conf.limits);
	if (parse(argc, argv, &conf, &probe) < 0) {
		log_event(LOG_ERROR, "shim.refused", LOG_S("why", "chomp-shim is started by chomp-sandbox only"));
		return 2;
	}
	return probe ? shim_probe(conf.command) : shim_run(&conf);
}
