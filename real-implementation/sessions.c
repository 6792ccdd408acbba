/* See sessions.h. */
#include "real-implementation/sessions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/http/bearer.h"
#include "lib/http/fields.h"
#include "lib/http/limiter.h"
#include "real-implementation/session_token.h"

enum { SESSION_BODY_MAX = 1024, COOKIE_ATTRIBUTES_MAX = 96 };

static const char cookie_name[] = "onsale_session";

static const struct http_problem unauthorized = {
	401, "unauthorized", "This needs a session: POST /sessions gives one"};
static const struct http_problem limited = {429, "too-many-requests", "Too many requests"};

struct sessions {
	struct sessions_options options;
	struct http_limiter *limiter;
	struct metrics_counter *made, *renewed, *limited, *refused;
};

static struct metrics_counter *add_counter(
	struct metrics *metrics, const char *name, const char *help);

struct sessions *sessions_new(const struct sessions_options *options)
{
	assert(options->keyring);
	assert(options->life_ms == 0 || options->life_ms >= SESSION_LIFE_MS_MIN);
	struct sessions *sessions = calloc(1, sizeof *sessions);
	if (!sessions)
		return NULL;
	sessions->options = *options;
	if (options->life_ms == 0)
		sessions->options.life_ms = SESSION_LIFE_MS_DEFAULT;
	if (!options->clock)
		sessions->options.clock = clock_system();
	sessions->limiter = http_limiter_new(
		options->per_second > 0 ? options->per_second : SESSIONS_PER_SECOND_DEFAULT,
		options->burst > 0 ? options->burst : SESSION_BURST_DEFAULT);
	if (!sessions->limiter) {
		free(sessions);
		return NULL;
	}
	struct metrics *metrics = options->metrics;
	sessions->made = add_counter(metrics, "sessions_made", "People who have come.");
	sessions->renewed = add_counter(metrics, "sessions_renewed", "Sessions that were renewed.");
	sessions->limited = add_counter(metrics, "sessions_limited",
		"Requests for a session that came too soon from one address.");
	sessions->refused = add_counter(metrics, "sessions_refused",
		"Requests without a session, or with one that is forged or over.");
	return sessions;
}

static struct metrics_counter *add_counter(
	struct metrics *metrics, const char *name, const char *help)
{
	return metrics_add_counter(
		metrics, &(struct metrics_description){.name = name, .help = help});
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	http_limiter_free(sessions->limiter);
	free(sessions);
}

/* ---- Whose request it is ---- */

enum shown {
	SHOWN_NOTHING,
	SHOWN_BEARER,
	SHOWN_COOKIE,
};

/* Read the session that the request shows, and tell how it does. The verdict is SESSION_FORGED
 * where there is none. */
static enum shown read_session(const struct sessions *sessions,
	const struct http_exchange *exchange, struct session_token *token,
	enum session_verdict *verdict)
{
	int64_t now_ms = clock_wall_ms(sessions->options.clock);
	struct slice header, text;
	*verdict = SESSION_FORGED;
	if (http_bearer(exchange, &text)) {
		*verdict = session_token_read(sessions->options.keyring, text, now_ms, token);
		return SHOWN_BEARER;
	}
	if (!http_header(exchange, "Cookie", &header))
		return SHOWN_NOTHING;
	switch (session_cookie_find(header, cookie_name, &text)) {
	case SESSION_COOKIE_NONE:
		return SHOWN_NOTHING;
	case SESSION_COOKIE_ONE:
		*verdict = session_token_read(sessions->options.keyring, text, now_ms, token);
		break;
	case SESSION_COOKIE_AMBIGUOUS:
		break;
	}
	return SHOWN_COOKIE;
}

/* The challenge says, as RFC 6750 (section 3) wants it, whether there was anything at all. */
static void refuse(struct sessions *sessions, struct http_exchange *exchange, enum shown shown,
	enum session_verdict verdict)
{
	metrics_counter_add(sessions->refused, 1);
	http_reply_problem(exchange, &unauthorized,
		shown == SHOWN_NOTHING               ? "There is no session."
			: verdict == SESSION_EXPIRED ? "The session is over."
						     : "The session is not one of ours.");
	http_reply_header(exchange, "WWW-Authenticate",
		shown == SHOWN_BEARER ? "Bearer error=\"invalid_token\"" : "Bearer");
}

bool sessions_person(void *context, struct http_exchange *exchange, struct slice *person)
{
	struct sessions *sessions = context;
	struct session_token token;
	enum session_verdict verdict;
	enum shown shown = read_session(sessions, exchange, &token, &verdict);
	if (verdict != SESSION_VALID) {
		refuse(sessions, exchange, shown, verdict);
		return false;
	}
	char *text = arena_alloc(http_arena(exchange), ID_TEXT_SIZE);
	if (!text) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return false;
	}
	id_format(token.user, text);
	*person = slice_of(text);
	return true;
}

/* ---- POST /sessions ---- */

static bool is_limited(struct sessions *sessions, struct http_exchange *exchange)
{
	struct slice address = http_client_address(exchange, sessions->options.address_from);
	int64_t retry_ms;
	if (http_limiter_take(
		    sessions->limiter, address, clock_monotonic_ns(clock_system()), &retry_ms))
		return false;
	metrics_counter_add(sessions->limited, 1);
	http_reply_problem(
		exchange, &limited, "So many sessions for one address are not made at once.");
	http_reply_retry_after(exchange, retry_ms);
	return true;
}

static void set_cookie(
	const struct sessions *sessions, struct http_exchange *exchange, const char *token)
{
	char cookie[sizeof cookie_name + SESSION_TOKEN_TEXT_SIZE + COOKIE_ATTRIBUTES_MAX];
	int size = snprintf(cookie, sizeof cookie,
		"%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64 "%s", cookie_name,
		token, sessions->options.life_ms / 1000,
		sessions->options.transport == SESSION_OVER_TLS ? "; Secure" : "");
	assert(size > 0 && (size_t)size < sizeof cookie);
	http_reply_header(exchange, "Set-Cookie", cookie);
}

static void reply_session(
	struct sessions *sessions, struct http_exchange *exchange, unsigned status, struct id user)
{
	char token[SESSION_TOKEN_TEXT_SIZE], id[ID_TEXT_SIZE], expires_at[TIME_TEXT_SIZE];
	int64_t now_ms = clock_wall_ms(sessions->options.clock);
	const struct session_token made = {.user = user,
		.issued_at_ms = now_ms,
		.expires_at_ms = now_ms + sessions->options.life_ms};
	session_token_make(sessions->options.keyring, &made, token);
	id_format(user, id);
	time_format(made.expires_at_ms, expires_at);
	http_reply_json(exchange, status,
		json_pack(
			"{s:s, s:s, s:s}", "token", token, "userId", id, "expiresAt", expires_at));
	set_cookie(sessions, exchange, token);
}

static void make_session(struct http_exchange *exchange)
{
	struct sessions *sessions = http_context(exchange);
	struct session_token token;
	enum session_verdict verdict;
	struct http_fields fields;
	if (is_limited(sessions, exchange))
		return;
	http_fields_begin(&fields, exchange);
	if (!http_fields_end(&fields))
		return;
	enum shown shown = read_session(sessions, exchange, &token, &verdict);
	if (verdict == SESSION_VALID) {
		metrics_counter_add(sessions->renewed, 1);
		reply_session(sessions, exchange, 200, token.user);
	} else if (shown == SHOWN_BEARER) {
		refuse(sessions, exchange, shown, verdict);
	} else {
		metrics_counter_add(sessions->made, 1);
		reply_session(sessions, exchange, 201, session_user_new());
	}
}

const struct http_route session_route_table[] = {
	{HTTP_POST, "/sessions", HTTP_ON_LOOP, make_session, SESSION_BODY_MAX},
};
const size_t session_route_count = sizeof session_route_table / sizeof *session_route_table;
