/* GET /api/openapi.json: fcgi/api/openapi.json, made part of the program by the Makefile. */
#include "api/api.h"

static const unsigned char document[] = {
#include "openapi.inc"
};

enum err api_openapi(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	(void)app;
	(void)rq;
	(void)e;
	strbuf_add(&rs->body, (const char *)document, sizeof document);
	return ERR_OK;
}
