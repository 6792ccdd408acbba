/* Who asks: sessions over HTTP.
 *
 *	POST /sessions {}   → 201 {"token", "userId", "expiresAt"}, and a cookie with the token
 *
 * A session is a signed token (session_token.h) and no row anywhere: to check it costs one HMAC, on
 * the event loop, and a server that was lost takes no session with it. It is shown as a bearer
 * token or in the cookie `onsale_session`; pages of ours never see the cookie (HttpOnly), and other
 * sites can neither send it (SameSite=Strict) nor replace it: a request for a new one needs the
 * content type application/json, which a form of theirs cannot have.
 *
 * Whoever asks again with a session that is valid gets 200, the same userId and a token that lives
 * as long as a new one: how a session is kept alive. A cookie that is not valid any more counts as
 * none there, since a page cannot take it away; a bearer token that is not valid is 401, since its
 * owner can, and should know.
 *
 * New people cost us nothing, but what they may do then is limited per person; so how many one
 * client address may become is limited here (429).
 *
 * A table of routes of its own, whose context is a `struct sessions`; and sessions_person(), the
 * hook of all other fronts. Everything may be called by any thread. */
#pragma once

#include "lib/base/clock.h"
#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"
#include "lib/ticketing/keyring.h"

struct sessions;

enum {
	SESSION_LIFE_MS_DEFAULT = 24 * 3600 * 1000,
	SESSION_LIFE_MS_MIN = 1000,
	SESSION_BURST_DEFAULT = 100,
	SESSIONS_PER_SECOND_DEFAULT = 10,
};

enum session_transport {
	SESSION_OVER_HTTP,
	SESSION_OVER_TLS, /* The cookie gets `Secure`: browsers send it over TLS only. Also right
			   * behind a proxy that ends TLS. */
};

struct sessions_options {
	const struct keyring *keyring; /* Signs the tokens. Outlives the sessions. */
	enum session_transport transport;
	int64_t life_ms;          /* At least SESSION_LIFE_MS_MIN. 0: SESSION_LIFE_MS_DEFAULT. */
	double per_second;        /* By one client address, in the long run. 0: the default. */
	int64_t burst;            /* And at once. 0: SESSION_BURST_DEFAULT. */
	const char *address_from; /* A header whose last item is the client's address, set by the
				   * proxy in front. NULL: the socket's own. Outlives them. */
	struct clock *clock;      /* Any thread reads it. NULL: the system's. */
	struct metrics *metrics;  /* Not frozen yet; NULL: nobody counts. */
};

/* NULL when memory is short. */
__attribute__((warn_unused_result)) struct sessions *sessions_new(
	const struct sessions_options *options);

/* NULL is allowed. The server that uses them has been closed. */
void sessions_free(struct sessions *sessions);

/* POST /sessions. */
extern const struct http_route session_route_table[];
extern const size_t session_route_count;

/* Who makes this request: `person` becomes their userId, a UUID in small letters, which lives as
 * long as the exchange. False: there is no session, or one that is forged or over, and a 401 was
 * replied. A bearer token is taken before the cookie, and one that is not valid is not made good by
 * a cookie that is; the admin's token is no session. The signature is what several fronts have for
 * their option `person`, with `sessions` as its context. */
__attribute__((warn_unused_result)) bool sessions_person(
	void *sessions, struct http_exchange *exchange, struct slice *person);
