/*
 * seed COUNT [STATUS]: a task log of COUNT tasks, as the store writes them, on standard output.  STATUS: done (default,
 * each with a session) or queued.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/record.h"

int main(int argc, char **argv)
{
	int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : 0;
	bool queued = argc > 2 && strcmp(argv[2], "queued") == 0;
	const int64_t began = 1770800000000;
	struct strbuf out;
	char prompt[120], dispatch[33];

	strbuf_init(&out);
	record_log(&out, 1, 1);
	for (int64_t id = 1; id <= count; id++) {
		(void)snprintf(prompt, sizeof prompt, "Task %" PRId64 ": look at the code, mend what is broken, and say what it was", id);
		(void)snprintf(dispatch, sizeof dispatch, "%032" PRIx64, (uint64_t)id);
		struct session s = { .id = "s1",
				     .agent = "shell",
				     .model = "bash",
				     .started_at = began + id * 1000,
				     .ended_at = began + id * 1000 + 60000,
				     .active_at = began + id * 1000 + 50000,
				     .expires_at = began + id * 1000 + 14400000,
				     .reported = true,
				     .tokens = 1234,
				     .result = RESULT_DONE,
				     .summary = "mended",
				     .sandbox_id = "sb-0123456789abcdef",
				     .has_exit_code = true,
				     .dispatch = { .id = dispatch, .state = STEP_DONE, .attempts = 1 },
				     .kill = { .state = STEP_DONE, .attempts = 1 },
				     .nonce = "0123456789abcdef" };
		struct task t = { .id = id,
				  .prompt = prompt,
				  .created = began + id * 1000,
				  .updated = began + id * 1000,
				  .platform = "shell",
				  .model = "bash",
				  .status = queued ? STATUS_QUEUED : STATUS_DONE,
				  .token_budget = 300000,
				  .tokens = queued ? 0 : 1234,
				  .result = queued ? NULL : "mended",
				  .held = queued,
				  .sessions = &s,
				  .session_count = queued ? 0 : 1 };
		record_new(&out, &t);
		record_set(&out, &t);
		if (out.len > 1 << 20 || id == count) {
			if (fwrite(out.buf, 1, out.len, stdout) != out.len)
				return 1;
			strbuf_reset(&out);
		}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
