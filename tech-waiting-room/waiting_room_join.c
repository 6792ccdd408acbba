/* Joining: the one request of which everybody makes at least one, all at the same moment. So the
 * usual body, `{"userId":"…"}`, is read by hand; anything else by the general parser, which also
 * knows how to say what is wrong. */
#include "lib/http/fields.h"
#include "tech-waiting-room/waiting_room_front.h"

static bool is_limited(struct waiting_room_routes *routes, struct http_exchange *exchange);
static bool read_plain_body(struct http_exchange *exchange, struct slice *person);
static bool read_body(struct waiting_room_routes *routes, struct front_request *request);

void front_join(struct http_exchange *exchange)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct slice event;
	if (is_limited(routes, exchange) || !front_path_event(exchange, &event))
		return;
	uint64_t hash = event_hash(event);
	if (!front_find_room(routes, event, hash) &&
		directory_is_absent(&front_lane_of(routes, hash)->directory, hash,
			clock_monotonic_ms(clock_system()))) {
		front_reply_no_room(exchange);
		return;
	}
	struct front_request *request = front_request_new(exchange, FRONT_JOIN);
	if (!request)
		return;
	request->event = event;
	bool plain = !routes->options.person && read_plain_body(exchange, &request->person);
	if (plain || read_body(routes, request))
		front_submit(request);
}

static bool is_limited(struct waiting_room_routes *routes, struct http_exchange *exchange)
{
	int64_t retry_ms;
	if (http_limiter_take(routes->limiter,
		    http_client_address(exchange, routes->options.address_from),
		    clock_monotonic_ns(clock_system()), &retry_ms))
		return false;
	metrics_counter_add(routes->metrics.joins_limited, 1);
	http_reply_problem(exchange, &front_problem_limited,
		"So many joins from one address are not taken at once.");
	http_reply_retry_after(exchange, retry_ms);
	return true;
}

/* ---- The body ---- */

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Behind `text` and the space in front of it, or NULL where it does not stand there. */
static const char *skip(const char *at, const char *end, const char *text)
{
	size_t size = strlen(text);
	if (!at)
		return NULL;
	at = skip_space(at, end);
	return (size_t)(end - at) >= size && memcmp(at, text, size) == 0 ? at + size : NULL;
}

/* Whether the body is a lone userId, as JSON, without escapes. */
static bool read_plain_body(struct http_exchange *exchange, struct slice *person)
{
	struct slice type, body = http_body(exchange);
	if (!http_header(exchange, "Content-Type", &type) || !slice_is(type, "application/json"))
		return false;
	const char *end = body.data + body.size;
	const char *at = skip(body.data, end, "{");
	at = skip(at, end, "\"userId\"");
	at = skip(at, end, ":");
	at = skip(at, end, "\"");
	const char *quote = at ? memchr(at, '"', (size_t)(end - at)) : NULL;
	if (!quote)
		return false;
	*person = (struct slice){.data = at, .size = (size_t)(quote - at)};
	at = skip(quote + 1, end, "}");
	return at && skip_space(at, end) == end &&
		slice_is_id(*person, WAITING_ROOM_PERSON_SIZE_MAX);
}

static bool read_token(struct waiting_room_routes *routes, struct http_fields *fields,
	struct front_request *request)
{
	struct slice text = http_field_text(fields, "placeToken", TOKEN_TEXT_MAX);
	if (!text.data)
		return false;
	if (place_token_read(routes->options.keyring, text, &request->token_bytes,
		    &request->token) == TOKEN_VALID &&
		slice_equal(request->token.event, request->event))
		return true;
	request->token = (struct place_token){0};
	http_field_refuse(fields, "placeToken", "is no place in this event's waiting room");
	return false;
}

static bool read_pass(struct waiting_room_routes *routes, struct http_fields *fields,
	struct front_request *request)
{
	struct slice text = http_field_text(fields, "pass", TOKEN_TEXT_MAX);
	if (!text.data)
		return false;
	enum token_verdict verdict = pass_read(routes->options.keyring, text,
		clock_wall_ms(clock_system()), &request->pass_bytes, &request->pass);
	bool good = verdict != TOKEN_FORGED && slice_equal(request->pass.event, request->event);
	/* One that is over is what people come back with, and is of no use. */
	if (verdict != TOKEN_VALID || !good)
		request->pass = (struct pass){0};
	if (!good)
		http_field_refuse(fields, "pass", "is no pass of this event");
	return good;
}

static bool read_body(struct waiting_room_routes *routes, struct front_request *request)
{
	struct http_exchange *exchange = request->exchange;
	struct http_fields fields;
	bool (*hook)(void *, struct http_exchange *, struct slice *) = routes->options.person;
	if (hook && !hook(routes->options.person_context, exchange, &request->person))
		return false;
	if (hook && http_body(exchange).size == 0)
		return true;
	http_fields_begin(&fields, exchange);
	struct slice named = request->person;
	if (!hook || http_field_given(&fields, "userId"))
		named = http_field_id(&fields, "userId");
	if (!hook)
		request->person = named;
	if (http_field_given(&fields, "placeToken"))
		read_token(routes, &fields, request);
	if (http_field_given(&fields, "pass"))
		read_pass(routes, &fields, request);
	if (!http_fields_end(&fields))
		return false;
	bool same = (!front_has_token(request) ||
			    slice_equal(request->token.person, request->person)) &&
		(!front_has_pass(request) || slice_equal(request->pass.person, request->person));
	if (!slice_equal(named, request->person))
		http_reply_problem(
			exchange, &front_problem_forbidden, "The userId is somebody else's.");
	else if (!same)
		http_reply_problem(exchange, &front_problem_forbidden,
			"The token or the pass is somebody else's.");
	return same && slice_equal(named, request->person);
}
