/* The room itself: how it stands, what the operator sets, and the lobby's list. */
#include <math.h>

#include "lib/http/fields.h"
#include "tech-waiting-room/waiting_room_front.h"

/* A request about the event alone, by way of the lane. */
static void ask_about_event(
	struct http_exchange *exchange, struct slice event, enum front_operation operation)
{
	struct front_request *request = front_request_new(exchange, operation);
	if (!request)
		return;
	request->event = event;
	front_submit(request);
}

void front_view(struct http_exchange *exchange)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct slice event;
	if (!front_path_event(exchange, &event))
		return;
	uint64_t hash = event_hash(event);
	struct front_room *room = front_find_room(routes, event, hash);
	struct room_snapshot snapshot = {0};
	if (room)
		listed_room_read(&room->listed, &snapshot);
	if (snapshot.view.epoch > 0)
		front_reply_view(exchange, 200, event, &snapshot);
	else if (directory_is_absent(&front_lane_of(routes, hash)->directory, hash,
			 clock_monotonic_ms(clock_system())))
		front_reply_no_room(exchange);
	else
		ask_about_event(exchange, event, FRONT_VIEW);
}

/* ---- Settings ---- */

static bool read_state(struct http_fields *fields, enum waiting_room_state *state)
{
	struct slice text = http_field_text(fields, "state", WAITING_ROOM_EVENT_SIZE_MAX);
	if (!text.data)
		return false;
	for (*state = WAITING_ROOM_LOBBY; *state <= WAITING_ROOM_CLOSED; (*state)++)
		if (slice_is(text, front_room_state_name(*state)))
			return true;
	http_field_refuse(fields, "state", "must be one of lobby, open, paused, draining, closed");
	return false;
}

/* http_fields knows integers only; a rate may be half a person per second. */
static bool read_rate(struct http_fields *fields, double *rate)
{
	if (!http_field_given(fields, "ratePerSecond"))
		return false;
	const json_t *value = json_object_get(fields->object, "ratePerSecond");
	*rate = json_number_value(value);
	if (json_is_number(value) && isfinite(*rate) && *rate >= WAITING_ROOM_RATE_MIN &&
		*rate <= WAITING_ROOM_RATE_MAX)
		return true;
	http_field_refuse(fields, "ratePerSecond", "must be a number from %g to %d",
		WAITING_ROOM_RATE_MIN, (int)WAITING_ROOM_RATE_MAX);
	return false;
}

static bool read_integer(
	struct http_fields *fields, const char *name, int64_t min, int64_t max, int64_t *value)
{
	if (!http_field_given(fields, name))
		return false;
	*value = http_field_integer(fields, name, min, max);
	return true;
}

bool front_read_settings(struct http_exchange *exchange, struct front_settings *given)
{
	struct waiting_room_settings *settings = &given->settings;
	struct http_fields fields;
	http_fields_begin(&fields, exchange);
	read_state(&fields, &settings->state);
	given->has_rate = read_rate(&fields, &settings->rate_per_second);
	given->has_active_max = read_integer(
		&fields, "activeMax", 0, WAITING_ROOM_ACTIVE_MAX, &settings->active_max);
	given->has_claim = read_integer(
		&fields, "claimSeconds", 1, WAITING_ROOM_SECONDS_MAX, &settings->claim_seconds);
	given->has_heartbeat = read_integer(&fields, "heartbeatSeconds", 1,
		WAITING_ROOM_SECONDS_MAX, &settings->heartbeat_seconds);
	given->has_session = read_integer(
		&fields, "sessionSeconds", 1, WAITING_ROOM_SECONDS_MAX, &settings->session_seconds);
	if (http_field_given(&fields, "startsAt")) {
		settings->starts_at_ms = http_field_time(&fields, "startsAt");
		given->has_start = true;
		/* Zero would say: by hand only. */
		if (settings->starts_at_ms <= 0)
			http_field_refuse(
				&fields, "startsAt", "must be after the beginning of 1970");
	} else {
		/* `null` takes a start away; nothing said leaves it. */
		given->has_start = json_is_null(json_object_get(fields.object, "startsAt"));
	}
	return http_fields_end(&fields);
}

void front_configure(struct http_exchange *exchange)
{
	struct slice event;
	if (!front_is_admin(exchange) || !front_path_event(exchange, &event))
		return;
	struct front_request *request = front_request_new(exchange, FRONT_CONFIGURE);
	if (!request)
		return;
	request->event = event;
	if (front_read_settings(exchange, &request->settings))
		front_submit(request);
}

/* ---- The lobby's list ---- */

static bool read_number(struct http_exchange *exchange, const char *name, int64_t fallback,
	int64_t max, int64_t *value)
{
	struct slice text;
	*value = fallback;
	if (!http_query(exchange, name, &text) || slice_to_integer(text, 1, max, value))
		return true;
	http_reply_problem(exchange, &http_problem_bad_request,
		"'%s' must be a number from 1 to %lld.", name, (long long)max);
	return false;
}

void front_lobby(struct http_exchange *exchange)
{
	static const char *const names[] = {"from", "limit", NULL};
	struct slice event;
	int64_t from, limit;
	if (!http_query_only(exchange, names) || !front_path_event(exchange, &event) ||
		!read_number(exchange, "from", 1, SHUFFLE_LOBBY_SIZE_MAX, &from) ||
		!read_number(exchange, "limit", FRONT_LOBBY_PAGE_MAX, FRONT_LOBBY_PAGE_MAX, &limit))
		return;
	struct front_request *request = front_request_new(exchange, FRONT_LOBBY);
	if (!request)
		return;
	request->event = event;
	request->from = from;
	request->limit = limit;
	front_submit(request);
}
