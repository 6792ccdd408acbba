/* See conductor_internal.h. */
#include "real-implementation/conductor_internal.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "lib/http/fields.h"

enum { DEMAND_MAX = 1000000 };

static int64_t integer_of(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

bool room_wish_read(struct slice text, struct room_wish *wish)
{
	json_t *json = json_loadb(text.data, text.size, 0, NULL);
	if (!json)
		return false;
	*wish = (struct room_wish){
		.open_at_holds_per_second = integer_of(json, "openAtHoldsPerSecond"),
		.open_at_lane_depth = integer_of(json, "openAtLaneDepth"),
		.settings = {.rate_per_second =
				     json_number_value(json_object_get(json, "ratePerSecond")),
			.active_max = integer_of(json, "activeMax"),
			.claim_seconds = integer_of(json, "claimSeconds"),
			.heartbeat_seconds = integer_of(json, "heartbeatSeconds"),
			.session_seconds = integer_of(json, "sessionSeconds")}};
	json_decref(json);
	return wish->settings.rate_per_second > 0 && wish->settings.claim_seconds > 0 &&
		wish->settings.heartbeat_seconds > 0 && wish->settings.session_seconds > 0;
}

static bool read_state(struct http_fields *fields, enum waiting_room_state *state)
{
	struct slice text = http_field_text(fields, "state", WAITING_ROOM_EVENT_SIZE_MAX);
	for (*state = WAITING_ROOM_LOBBY; text.data && *state <= WAITING_ROOM_CLOSED; (*state)++)
		if (slice_is(text, waiting_room_state_name(*state)))
			return true;
	if (text.data)
		http_field_refuse(
			fields, "state", "must be one of lobby, open, paused, draining, closed");
	return false;
}

static void copy_integer(
	struct http_fields *fields, const char *name, int64_t min, int64_t max, json_t *given)
{
	if (http_field_given(fields, name))
		json_object_set_new(
			given, name, json_integer(http_field_integer(fields, name, min, max)));
}

static void copy_rate(struct http_fields *fields, json_t *given)
{
	if (!http_field_given(fields, "ratePerSecond"))
		return;
	json_t *value = json_object_get(fields->object, "ratePerSecond");
	double rate = json_number_value(value);
	if (json_is_number(value) && isfinite(rate) && rate >= WAITING_ROOM_RATE_MIN &&
		rate <= WAITING_ROOM_RATE_MAX)
		json_object_set(given, "ratePerSecond", value);
	else
		http_field_refuse(fields, "ratePerSecond", "must be a number from %g to %d",
			WAITING_ROOM_RATE_MIN, (int)WAITING_ROOM_RATE_MAX);
}

bool room_asked_read(struct http_exchange *exchange, struct room_asked *asked)
{
	struct http_fields fields;
	json_t *given = json_object();
	http_fields_begin(&fields, exchange);
	(void)read_state(&fields, &asked->state);
	copy_rate(&fields, given);
	copy_integer(&fields, "activeMax", 0, WAITING_ROOM_ACTIVE_MAX, given);
	copy_integer(&fields, "claimSeconds", 1, WAITING_ROOM_SECONDS_MAX, given);
	copy_integer(&fields, "heartbeatSeconds", 1, WAITING_ROOM_SECONDS_MAX, given);
	copy_integer(&fields, "sessionSeconds", 1, WAITING_ROOM_SECONDS_MAX, given);
	copy_integer(&fields, "openAtHoldsPerSecond", 0, DEMAND_MAX, given);
	copy_integer(&fields, "openAtLaneDepth", 0, DEMAND_MAX, given);
	asked->has_start = fields.object && json_object_get(fields.object, "startsAt");
	if (http_field_given(&fields, "startsAt")) {
		asked->starts_at_ms = http_field_time(&fields, "startsAt");
		if (asked->starts_at_ms <= 0) /* Zero would say: by hand only. */
			http_field_refuse(
				&fields, "startsAt", "must be after the beginning of 1970");
	}
	char *text = json_dumps(given, JSON_COMPACT);
	json_decref(given);
	bool good = http_fields_end(&fields);
	if (good && text)
		asked->given = arena_copy(http_arena(exchange), slice_of(text));
	free(text);
	if (good && !asked->given)
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	return good && asked->given;
}
