/* GET /healthz and GET /readyz, which a server is asked often and must answer also when what it
 * depends on hangs.
 *
 * DESIGN. Each check runs on a thread of its own, again and again, and leaves its result in memory;
 * the event loop answers from there. So neither a database that is stuck nor workers that are all
 * waiting for it delay the answer, and no number of probes is a load on it. A check that does not
 * come back counts as missing when its last result is older than stale_ms_max.
 *
 *	static bool is_there(void *context) { return postgres_execute(context, …) == STATUS_OK; }
 *	…
 *	const struct http_health_check checks[] = {{"postgres", is_there, connection}};
 *	struct http_health *health;
 *	if (http_health_open(&(struct http_health_options){checks, 1}, &health) != STATUS_OK)
 *		…
 *	routes: {HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
 *	        {HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
 *	struct http_server_options options = {… .health = health};
 *	…
 *	http_server_close(server);
 *	http_health_close(health);
 */
#pragma once

#include "lib/http/exchange.h"

struct http_health;

/* Something that the server cannot do without. */
struct http_health_check {
	const char *name; /* As /readyz tells it: "postgres". Borrowed for ever. */
	/* Whether it answers. May block, but not for ever, and has what it needs to itself (a
	 * connection of its own), since it is called on the check's own thread; before
	 * http_health_open has returned, on the caller's. */
	bool (*is_there)(void *context);
	void *context;
};

enum { HTTP_HEALTH_CHECKS_MAX = 16 };

struct http_health_options {
	const struct http_health_check *checks; /* Copied. */
	size_t check_count;                     /* At most HTTP_HEALTH_CHECKS_MAX. */
	int64_t interval_ms;  /* From the end of a check to the beginning of the next. 0: 1 s. */
	int64_t stale_ms_max; /* 0: 10 s. */
};

/* Make each check once, so that the first answer is a true one, and go on in the background.
 * STATUS_UNAVAILABLE: memory or threads are short. */
__attribute__((warn_unused_result)) enum status http_health_open(
	const struct http_health_options *options, struct http_health **health);

/* Wait for the checks that are being made, and free it. The server that was opened with it has been
 * closed. NULL is allowed. */
void http_health_close(struct http_health *health);

/* GET /healthz, on the loop: 200 {"status":"ok"}. The process lives; what it depends on does not
 * count, since a new start would not mend that. */
void http_reply_healthz(struct http_exchange *exchange);

/* GET /readyz, on the loop: 200 {"status":"ready"}, or 503 with Retry-After and a problem whose
 * "missing" lists the names of what does not answer. The server was opened with the `health`
 * option; without one it is always ready. */
void http_reply_readyz(struct http_exchange *exchange);
