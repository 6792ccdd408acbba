/* See waiting_room_gate.h. */
#include "tech-waiting-room/waiting_room_gate.h"

#include <stdlib.h>
#include <string.h>

#include "tech-waiting-room/waiting_room_front.h"

void waiting_room_claim_pass(
	struct waiting_room_routes *routes, const struct waiting_room_pass_claim *claim)
{
	struct front_request *request = front_request_new(claim->exchange, FRONT_CLAIM);
	if (!request)
		return;
	enum token_verdict verdict = pass_read(routes->options.keyring, claim->pass,
		clock_wall_ms(clock_system()), &request->pass_bytes, &request->pass);
	bool same = verdict != TOKEN_FORGED && slice_equal(request->pass.event, claim->event) &&
		slice_equal(request->pass.person, claim->person);
	if (!same || verdict != TOKEN_VALID) {
		http_defer(claim->exchange);
		claim->then(claim->context, claim->exchange,
			same ? WAITING_ROOM_PASS_EXPIRED : WAITING_ROOM_PASS_FORGED);
		return;
	}
	request->event = request->pass.event;
	request->person = request->pass.person;
	request->then = claim->then;
	request->then_context = claim->context;
	front_submit_to(routes, request);
}

void waiting_room_let_out(
	struct waiting_room_routes *routes, struct slice event, struct slice person)
{
	if (event.size > WAITING_ROOM_EVENT_SIZE_MAX || person.size > WAITING_ROOM_PERSON_SIZE_MAX)
		return;
	struct front_request *request = calloc(1, sizeof *request);
	if (!request)
		return;
	/* The bytes of the pass are not needed otherwise. */
	char *bytes = (char *)request->pass_bytes.bytes;
	memcpy(bytes, event.data, event.size);
	memcpy(bytes + event.size, person.data, person.size);
	request->operation = FRONT_LET_OUT;
	request->item.deadline_ms = LANE_NEVER;
	request->event = (struct slice){.data = bytes, .size = event.size};
	request->person = (struct slice){.data = bytes + event.size, .size = person.size};
	request->hash = event_hash(event);
	bool taken = atomic_load_explicit(&routes->started, memory_order_acquire) &&
		lane_submit(front_lane_of(routes, request->hash)->lane, &request->item) ==
			STATUS_OK;
	if (!taken)
		free(request);
}

bool waiting_room_known_view(
	struct waiting_room_routes *routes, struct slice event, struct waiting_room_view *view)
{
	struct room_snapshot snapshot;
	struct front_room *room = front_find_room(routes, event, event_hash(event));
	if (!room)
		return false;
	listed_room_read(&room->listed, &snapshot);
	*view = snapshot.view;
	return view->epoch > 0;
}

void waiting_room_reply_view(struct http_exchange *exchange, unsigned status, struct slice event,
	const struct waiting_room_view *view)
{
	const struct room_snapshot snapshot = {.view = *view};
	front_reply_view(exchange, status, event, &snapshot);
}

const char *waiting_room_state_name(enum waiting_room_state state)
{
	return front_room_state_name(state);
}
