/* chomp-shim TIMEOUT-SECONDS COMMAND [ARGUMENT…]: started by chomp-sandbox only; see shim.h. */
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/log.h"
#include "core/number.h"
#include "sandbox/shim.h"

int main(int argc, char **argv)
{
	int64_t timeout_s = 0;

	log_init("shim");
	umask(077);
	if (argc < 3 || number_parse(argv[1], 1, INT32_MAX, &timeout_s) < 0) {
		log_event(LOG_ERROR, "shim.refused",
			  LOG_S("why", "chomp-shim is started by chomp-sandbox only"));
		return 2;
	}
	return shim_run((int)timeout_s, argv + 2);
}
