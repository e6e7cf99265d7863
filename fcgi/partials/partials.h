/*
 * The pages: what a browser gets.  Every partial is a fragment for htmx (HX-Request) and a whole page for everybody else;
 * lists and cards carry an ETag and answer 304 to If-None-Match without rendering.
 */
#ifndef CHOMP_PARTIALS_PARTIALS_H
#define CHOMP_PARTIALS_PARTIALS_H

#include "http/router.h"

/* GET /: the whole dashboard, ?tab=active|completed and ?cursor= as partial_tasks. */
handler_fn page_index;
/* GET /login: the form that takes the owner's token. */
handler_fn page_login;
/* GET /partials/balance: platforms and counters. */
handler_fn partial_balance;
/* GET /partials/tasks?tab=active|completed&cursor=&pages=&q=: ERR_BAD_INPUT for other tabs, cursors and pages. */
handler_fn partial_tasks;
/* GET /partials/detail/{}: ERR_NOT_FOUND; ERR_BAD_INPUT for what is no number. ?ask=delete asks before deleting. */
handler_fn partial_detail;
/* GET (and POST, for long prompts) /partials/create?step=1..4&prompt&dir&agent&…: ERR_BAD_INPUT for other steps. */
handler_fn partial_create;
/* GET /partials/settings. */
handler_fn partial_settings;

/*
 * The error as a whole page: what is wrong and what to do.  ERR_NO_TOKEN shows the login form, a task that was refused
 * shows its form again with every word in it.  Status is that of the error; headers already set stay.
 */
void page_error(struct app *app, struct request *rq, struct response *rs, const struct errinfo *e);

#endif
