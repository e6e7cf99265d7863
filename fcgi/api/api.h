/* The handlers of /api, /login and /logout (docs/API.md).  All of type handler_fn. */
#ifndef CHOMP_API_API_H
#define CHOMP_API_API_H

#include "http/router.h"

/* tasks.c */
handler_fn api_task_create, api_task_list, api_task_get, api_task_delete;
/* verbs.c: the state machine */
handler_fn api_task_run, api_task_update, api_task_done, api_task_fail, api_task_handoff, api_task_cancel,
	api_task_retry;
/* gate.c, review.c */
handler_fn api_task_gate, api_task_approve, api_task_sendback;
/* artifacts.c */
handler_fn api_artifact_post, api_artifact_get;
/* output.c */
handler_fn api_output_latest, api_output_session, api_recording;
/* state.c */
handler_fn api_state, api_health;
/* config.c */
handler_fn api_config, api_config_keys, api_config_settings;
/* agents.c */
handler_fn api_config_agents, api_config_agents_post, api_config_agents_delete;
/* metrics.c */
handler_fn api_metrics;
/* platforms.c */
handler_fn api_platforms;
/* openapi.c */
handler_fn api_openapi;
/* login.c */
handler_fn api_login, api_login_code, api_logout;

#endif
