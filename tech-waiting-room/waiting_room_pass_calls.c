/* What the operations on passes do with their batches: look up first, then claim or release those
 * that are good. So a pass of an earlier admission never touches the present one. */
#include <stdlib.h>

#include "tech-waiting-room/waiting_room_front.h"

static const char *pass_result(const struct pass *pass, const struct person_result *result)
{
	switch (result->state) {
	case PERSON_LEFT:
		return "released";
	case PERSON_ADMITTED:
		/* Of another admission: that one is over. */
		return result->place == pass->place && result->epoch >= pass->epoch ? "valid"
										    : "expired";
	default:
		return "expired";
	}
}

static void reply_pass(
	const struct front_request *request, const struct person_result *result, const char *text)
{
	char time[TIME_TEXT_SIZE];
	json_t *json =
		json_pack("{s:s, s:s%, s:s%}", "result", text, "userId", request->person.data,
			request->person.size, "eventId", request->event.data, request->event.size);
	if (result->state == PERSON_ADMITTED && result->pass_ends_at_ms > 0) {
		time_format(result->pass_ends_at_ms, time);
		json_object_set_new(json, "passExpiresAt", json_string(time));
	}
	if (request->operation == FRONT_CLAIM)
		json_object_set_new(json, "firstUse", json_boolean(result->changed));
	http_reply_json(request->exchange, 200, json);
}

/* Answer one, by a reply or by a call. */
static void answer(
	struct front_request *request, const struct person_result *result, const char *text)
{
	if (request->then) {
		request->then(request->then_context, request->exchange,
			strcmp(text, "valid") == 0              ? WAITING_ROOM_PASS_GOOD
				: strcmp(text, "released") == 0 ? WAITING_ROOM_PASS_RELEASED
								: WAITING_ROOM_PASS_EXPIRED);
		return;
	}
	reply_pass(request, result, text);
	http_complete(request->exchange);
}

/* Ask for those whom the room has forgotten once more, as their heartbeats would. */
static enum status look_up_passes(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	size_t count = front_ask_all(room, group);
	enum status status = front_call_people(room, "look_up", waiting_room_look_up, count);
	if (status != STATUS_OK)
		return status;
	bool forgotten = false;
	for (size_t i = 0; i < count; i++)
		forgotten = forgotten || lane->found[i].state == PERSON_UNKNOWN ||
			lane->found[i].epoch > lane->chosen[i]->pass.epoch;
	return forgotten ? front_call_people(room, "heartbeat", waiting_room_heartbeat, count)
			 : STATUS_OK;
}

/* Claim or release those passes that are good; the others are answered. */
static void use_passes(struct front_room *room, enum front_operation operation, size_t asked)
{
	struct front_lane *lane = room->lane;
	size_t count = 0;
	for (size_t i = 0; i < asked; i++) {
		struct front_request *request = lane->chosen[i];
		const char *text = pass_result(&request->pass, &lane->found[i]);
		if (operation != FRONT_VERIFY && strcmp(text, "valid") == 0) {
			lane->chosen[count] = request;
			lane->asked[count++] = front_person_of(request);
			continue;
		}
		lane->found[i].changed = false;
		answer(request, &lane->found[i], text);
	}
	if (count == 0)
		return;
	bool claim = operation == FRONT_CLAIM;
	int64_t now_ms = clock_monotonic_ms(clock_system());
	enum status status = front_call_people(room, claim ? "claim" : "leave",
		claim ? waiting_room_claim : waiting_room_leave, count);
	size_t changed = 0;
	for (size_t i = 0; i < count; i++) {
		struct front_request *request = lane->chosen[i];
		if (status == STATUS_OK) {
			changed += lane->found[i].changed;
			if (!claim)
				front_follower_stirred(room, request->person, now_ms);
			answer(request, &lane->found[i],
				pass_result(&request->pass, &lane->found[i]));
		} else {
			front_reply_failed(request->exchange, status);
			http_complete(request->exchange);
		}
	}
	metrics_counter_add(
		claim ? lane->routes->metrics.claimed : lane->routes->metrics.left, changed);
	if (!claim)
		front_room_stirred(room, now_ms);
}

void front_apply_passes(struct front_room *room, const struct front_group *group)
{
	enum status status = look_up_passes(room, group);
	if (status == STATUS_OK)
		use_passes(room, group->operation, group->count);
	else
		front_fail_group(group, status);
}

/* Those who are done with what they came for. Nobody waits for an answer. */
void front_apply_let_outs(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	int64_t now_ms = clock_monotonic_ms(clock_system());
	size_t count = front_ask_all(room, group);
	enum status status = front_call_people(room, "leave", waiting_room_leave, count);
	for (size_t i = 0; i < count; i++) {
		if (status == STATUS_OK)
			front_follower_stirred(room, lane->chosen[i]->person, now_ms);
		free(lane->chosen[i]);
	}
	if (status != STATUS_OK)
		return;
	metrics_counter_add(lane->routes->metrics.left, count);
	front_room_stirred(room, now_ms);
}
