#include "worker/routes.h"

#include "api/api.h"
#include "partials/partials.h"

/* One address for two things: the form, or a one-use code that makes a session. */
static enum err get_login(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return request_query(rq, "code") != NULL ? api_login_code(app, rq, rs, e) : page_login(app, rq, rs, e);
}

const struct route routes[] = {
	/* pages */
	{ "GET", "/", ACCESS_OWNER, page_index, 0 },
	{ "GET", "/login", ACCESS_ANYONE, get_login, 0 },
	{ "POST", "/login", ACCESS_ANYONE, api_login, 0 },
	{ "POST", "/logout", ACCESS_ANYONE, api_logout, 0 },
	{ "GET", "/partials/balance", ACCESS_OWNER, partial_balance, 0 },
	{ "GET", "/partials/tasks", ACCESS_OWNER, partial_tasks, 0 },
	{ "GET", "/partials/create", ACCESS_OWNER, partial_create, 0 },
	{ "POST", "/partials/create", ACCESS_OWNER, partial_create, 0 },
	{ "GET", "/partials/settings", ACCESS_OWNER, partial_settings, 0 },
	{ "GET", "/partials/detail/{}", ACCESS_OWNER, partial_detail, 0 },
	/* tasks */
	{ "GET", "/api/state", ACCESS_OWNER, api_state, 0 },
	{ "GET", "/api/tasks", ACCESS_OWNER, api_task_list, 0 },
	{ "POST", "/api/tasks", ACCESS_OWNER, api_task_create, 0 },
	{ "POST", "/api/tasks/run", ACCESS_OWNER, api_task_run, 0 },
	{ "POST", "/api/tasks/cancel", ACCESS_OWNER, api_task_cancel, 0 },
	{ "POST", "/api/tasks/retry", ACCESS_OWNER, api_task_retry, 0 },
	{ "POST", "/api/tasks/delete", ACCESS_OWNER, api_task_delete, 0 },
	{ "POST", "/api/tasks/approve", ACCESS_OWNER, api_task_approve, 0 },
	{ "POST", "/api/tasks/sendback", ACCESS_OWNER, api_task_sendback, 0 },
	{ "POST", "/api/tasks/gate", ACCESS_AGENT, api_task_gate, 0 },
	{ "POST", "/api/tasks/update", ACCESS_AGENT, api_task_update, 0 },
	{ "POST", "/api/tasks/done", ACCESS_AGENT, api_task_done, 0 },
	{ "POST", "/api/tasks/fail", ACCESS_AGENT, api_task_fail, 0 },
	{ "POST", "/api/tasks/handoff", ACCESS_AGENT, api_task_handoff, 0 },
	{ "GET", "/api/tasks/{}", ACCESS_OWNER, api_task_get, 0 },
	{ "GET", "/api/tasks/{}/artifacts/{}", ACCESS_AGENT, api_artifact_get, 0 },
	{ "POST", "/api/tasks/{}/artifacts/{}", ACCESS_AGENT, api_artifact_post, ROUTE_LARGE_BODY },
	{ "GET", "/api/tasks/{}/sessions/{}/output", ACCESS_OWNER, api_output_session, 0 },
	{ "GET", "/api/tasks/{}/sessions/{}/recording", ACCESS_OWNER, api_recording, 0 },
	{ "GET", "/api/sandbox/output/{}", ACCESS_OWNER, api_output_latest, 0 },
	/* configuration */
	{ "GET", "/api/config", ACCESS_OWNER, api_config, 0 },
	{ "GET", "/api/config/agents", ACCESS_OWNER, api_config_agents, 0 },
	{ "POST", "/api/config/agents", ACCESS_OWNER, api_config_agents_post, 0 },
	{ "DELETE", "/api/config/agents", ACCESS_OWNER, api_config_agents_delete, 0 },
	{ "POST", "/api/config/keys", ACCESS_OWNER, api_config_keys, 0 },
	{ "POST", "/api/config/settings", ACCESS_OWNER, api_config_settings, 0 },
	{ "GET", "/api/platforms", ACCESS_OWNER, api_platforms, 0 },
	{ "GET", "/api/health", ACCESS_ANYONE, api_health, 0 },
	{ "GET", "/api/openapi.json", ACCESS_OWNER, api_openapi, 0 },
	{ "GET", "/metrics", ACCESS_OWNER, api_metrics, 0 },
};
const size_t route_count = sizeof routes / sizeof routes[0];
