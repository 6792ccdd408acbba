/* One person's place: how it stands, by polling or by a stream; heartbeat; leaving.
 *
 * Whoever shows a place's token is taken for its holder: it says who that is, and cannot be made by
 * anybody else. Where the front knows its people otherwise (the option `person`), the token must
 * besides be that person's own. */
#include <stdlib.h>

#include "lib/http/fields.h"
#include "tech-waiting-room/waiting_room_front.h"

bool front_path_token(
	struct http_exchange *exchange, struct token_bytes *bytes, struct place_token *token)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct slice person, text = http_parameter(exchange, "placeToken");
	bool (*hook)(void *, struct http_exchange *, struct slice *) = routes->options.person;
	if (hook && !hook(routes->options.person_context, exchange, &person))
		return false;
	if (place_token_read(routes->options.keyring, text, bytes, token) == TOKEN_VALID &&
		(!hook || slice_equal(token->person, person)))
		return true;
	http_reply_problem(
		exchange, &http_problem_not_found, "This is no place in a waiting room.");
	return false;
}

/* Have the lane find out. */
static void ask(struct http_exchange *exchange, enum front_operation operation)
{
	struct front_request *request = front_request_new(exchange, operation);
	if (!request || !front_path_token(exchange, &request->token_bytes, &request->token))
		return;
	request->event = request->token.event;
	request->person = request->token.person;
	front_submit(request);
}

void front_poll(struct http_exchange *exchange)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct token_bytes bytes;
	struct place_token token;
	if (!front_path_token(exchange, &bytes, &token))
		return;
	struct front_room *room = front_find_room(routes, token.event, event_hash(token.event));
	struct room_snapshot snapshot;
	struct front_standing standing;
	if (room)
		listed_room_read(&room->listed, &snapshot);
	if (!room || front_standing_of(room, &snapshot, &token, &standing) == FRONT_ASK) {
		metrics_counter_add(routes->metrics.polls_asked, 1);
		ask(exchange, FRONT_POLL);
		return;
	}
	metrics_counter_add(routes->metrics.polls_from_memory, 1);
	front_reply_standing(exchange, 200, &snapshot, &standing);
}

void front_leave(struct http_exchange *exchange)
{
	ask(exchange, FRONT_LEAVE);
}

/* ---- Heartbeat ---- */

/* The pass in the body, if there is one. False: it was replied. */
static bool read_pass(struct front_request *request)
{
	struct http_exchange *exchange = request->exchange;
	struct http_fields fields;
	if (http_body(exchange).size == 0)
		return true;
	http_fields_begin(&fields, exchange);
	struct slice text = {0};
	if (http_field_given(&fields, "pass"))
		text = http_field_text(&fields, "pass", TOKEN_TEXT_MAX);
	if (!http_fields_end(&fields))
		return false;
	if (!text.data)
		return true;
	enum token_verdict verdict = pass_read(front_of(exchange)->options.keyring, text,
		clock_wall_ms(clock_system()), &request->pass_bytes, &request->pass);
	bool same = verdict != TOKEN_FORGED &&
		slice_equal(request->pass.event, request->token.event) &&
		slice_equal(request->pass.person, request->token.person);
	if (verdict != TOKEN_VALID || !same)
		request->pass = (struct pass){0};
	if (!same)
		http_reply_problem(exchange, &front_problem_forbidden,
			"The pass is not one of this person in this event.");
	return same;
}

void front_heartbeat(struct http_exchange *exchange)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct front_request *request = front_request_new(exchange, FRONT_HEARTBEAT);
	if (!request || !front_path_token(exchange, &request->token_bytes, &request->token) ||
		!read_pass(request))
		return;
	request->event = request->token.event;
	request->person = request->token.person;
	struct front_room *room =
		front_find_room(routes, request->event, event_hash(request->event));
	struct room_snapshot snapshot;
	struct front_standing standing;
	if (room)
		listed_room_read(&room->listed, &snapshot);
	/* Of somebody who waits nothing is kept. */
	if (room && !front_has_pass(request) &&
		front_standing_of(room, &snapshot, &request->token, &standing) == FRONT_KNOWN)
		http_reply_empty(exchange, 204);
	else
		front_submit(request);
}

/* ---- Streams ---- */

/* Tell the lane who follows. Its request is its own, since it outlives the handler. */
static enum status submit_follow(struct waiting_room_routes *routes, struct slice token_text)
{
	struct front_request *request = calloc(1, sizeof *request);
	if (!request)
		return STATUS_UNAVAILABLE;
	request->operation = FRONT_FOLLOW;
	request->item.deadline_ms = LANE_NEVER;
	if (place_token_read(routes->options.keyring, token_text, &request->token_bytes,
		    &request->token) != TOKEN_VALID) {
		free(request);
		return STATUS_REFUSED;
	}
	request->event = request->token.event;
	request->person = request->token.person;
	request->hash = event_hash(request->event);
	enum status status =
		lane_submit(front_lane_of(routes, request->hash)->lane, &request->item);
	if (status != STATUS_OK)
		free(request);
	return status;
}

void front_stream(struct http_exchange *exchange)
{
	struct waiting_room_routes *routes = front_of(exchange);
	struct token_bytes bytes;
	struct place_token token;
	if (!front_path_token(exchange, &bytes, &token))
		return;
	struct front_room *room = front_find_room(routes, token.event, event_hash(token.event));
	if (!room) {
		ask(exchange, FRONT_STREAM);
		return;
	}
	struct room_snapshot snapshot;
	struct front_standing standing;
	listed_room_read(&room->listed, &snapshot);
	struct slice first = {0};
	char text[FRONT_STANDING_SIZE];
	if (front_standing_of(room, &snapshot, &token, &standing) == FRONT_KNOWN)
		first = http_event_format(
			exchange, "place", front_standing_text(text, &snapshot, &standing));
	/* What the lane finds out is sent to the person's key, and reaches this stream too: the
	 * loop takes it up only after this handler. */
	if (submit_follow(routes, http_parameter(exchange, "placeToken")) != STATUS_OK) {
		http_reply_problem(exchange, &http_problem_unavailable,
			"Too many requests are waiting; try again.");
		return;
	}
	http_stream_begin_keyed(exchange, room->channel, token.person, first);
	http_reply_header(exchange, "Referrer-Policy", "no-referrer");
}
