/* What the operations on the room itself do: how it stands, its lobby's list, its settings. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tech-waiting-room/waiting_room_front.h"

void front_apply_views(struct front_room *room, const struct front_group *group)
{
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		front_reply_view(request->exchange, 200, request->event, &room->snapshot);
		http_complete(request->exchange);
	}
}

static void reply_lobby(struct http_exchange *exchange, const struct front_request *request,
	struct front_lane *lane, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	json_t *items = json_array();
	for (size_t i = 0; i < count; i++) {
		uint8_t entry[SHUFFLE_HASH_SIZE];
		char hex[2 * SHUFFLE_HASH_SIZE];
		lobby_entry(request->event, request->from + (int64_t)i, slice_of(lane->names[i]),
			entry);
		for (size_t j = 0; j < sizeof entry; j++) {
			hex[2 * j] = digits[entry[j] >> 4];
			hex[2 * j + 1] = digits[entry[j] & 0xf];
		}
		json_array_append_new(items, json_stringn(hex, sizeof hex));
	}
	json_t *json = json_pack("{s:o}", "items", items);
	if (count == (size_t)request->limit) {
		char next[24];
		(void)snprintf(next, sizeof next, "%" PRId64, request->from + request->limit);
		json_object_set_new(json, "next", json_string(next));
	}
	http_reply_json(exchange, 200, json);
}

void front_apply_lobby(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		struct http_exchange *exchange = request->exchange;
		size_t count = 0;
		enum status status = STATUS_OK;
		if (!room->snapshot.view.shuffled)
			http_reply_problem(exchange, &http_problem_conflict,
				"The lobby's list is published when it has been shuffled.");
		else if (front_answered(lane, "lobby",
				 status = waiting_room_lobby(lane->adapter, request->event,
					 request->from, lane->names, (size_t)request->limit,
					 &count)))
			reply_lobby(exchange, request, lane, count);
		else
			front_reply_failed(exchange, status);
		http_complete(exchange);
	}
}

/* ---- Settings ---- */

static const struct waiting_room_settings settings_default = {
	.rate_per_second = 10,
	.active_max = 100,
	.claim_seconds = 60,
	.heartbeat_seconds = 60,
	.session_seconds = 600,
};

/* What was given, and for the rest what holds now. */
static struct waiting_room_settings merged(
	const struct front_settings *given, const struct waiting_room_settings *present)
{
	struct waiting_room_settings settings = *present;
	settings.state = given->settings.state;
	if (given->has_rate)
		settings.rate_per_second = given->settings.rate_per_second;
	if (given->has_active_max)
		settings.active_max = given->settings.active_max;
	if (given->has_claim)
		settings.claim_seconds = given->settings.claim_seconds;
	if (given->has_heartbeat)
		settings.heartbeat_seconds = given->settings.heartbeat_seconds;
	if (given->has_session)
		settings.session_seconds = given->settings.session_seconds;
	if (given->has_start)
		settings.starts_at_ms = given->settings.starts_at_ms;
	return settings;
}

static void configure(struct front_lane *lane, struct front_request *request)
{
	struct http_exchange *exchange = request->exchange;
	struct waiting_room_view view;
	struct front_room *room;
	bool found;
	enum status status = waiting_room_view(lane->adapter, request->event, &view, &found);
	if (!front_answered(lane, "view", status)) {
		front_reply_failed(exchange, status);
		return;
	}
	struct waiting_room_settings settings =
		merged(&request->settings, found ? &view.settings : &settings_default);
	if (settings.claim_seconds > settings.session_seconds) {
		http_reply_problem(exchange, &http_problem_unprocessable,
			"claimSeconds must not be more than sessionSeconds.");
		return;
	}
	status = waiting_room_configure(lane->adapter, request->event, &settings, &view);
	if (status == STATUS_REFUSED) {
		http_reply_problem(exchange, &http_problem_conflict,
			"A room that was opened does not become a lobby again.");
		return;
	}
	if (!front_answered(lane, "configure", status) ||
		(status = front_load_room(lane, request->event, request->hash, &room)) !=
			STATUS_OK) {
		front_reply_failed(exchange, status);
		return;
	}
	if (!room) {
		front_reply_no_room(exchange);
		return;
	}
	front_room_viewed(room, &view);
	front_room_stirred(room, clock_monotonic_ms(clock_system()));
	lane_tick_by(lane->lane, room->turn_ms);
	front_reply_view(exchange, found ? 200 : 201, request->event, &room->snapshot);
}

void front_apply_configurations(struct front_lane *lane, const struct front_group *group)
{
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		struct http_exchange *exchange = request->exchange;
		configure(lane, request);
		http_complete(exchange);
	}
}

/* ---- Rooms that were set by others ---- */

/* The room as it is now, in memory too. NULL with OK: there is none. */
static enum status refresh(
	struct front_lane *lane, const struct front_request *request, struct front_room **room)
{
	struct waiting_room_view view;
	bool found = false;
	enum status status = front_load_room(lane, request->event, request->hash, room);
	if (status == STATUS_OK && *room)
		status = waiting_room_view(lane->adapter, request->event, &view, &found);
	if (!front_answered(lane, "view", status) || !found)
		return status;
	front_room_viewed(*room, &view);
	front_room_stirred(*room, clock_monotonic_ms(clock_system()));
	lane_tick_by(lane->lane, (*room)->turn_ms);
	return STATUS_OK;
}

void front_apply_refreshes(struct front_lane *lane, const struct front_group *group)
{
	struct front_room *room = NULL;
	enum status status = refresh(lane, group->first, &room);
	if (status != STATUS_OK || !room) {
		front_fail_group(group, status);
		return;
	}
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		struct http_exchange *exchange = request->exchange;
		if (!exchange) {
			free(request);
			continue;
		}
		front_reply_view(exchange, request->reply_status, request->event, &room->snapshot);
		http_complete(exchange);
	}
}
