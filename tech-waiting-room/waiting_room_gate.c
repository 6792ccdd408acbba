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

/* A request that is not on its loop: of the exchange's arena, or of the heap without one. Has its
 * own copies of the texts. */
static struct front_request *request_of_nobody(
	struct http_exchange *exchange, struct slice event, struct slice person)
{
	if (event.size > WAITING_ROOM_EVENT_SIZE_MAX || person.size > WAITING_ROOM_PERSON_SIZE_MAX)
		return NULL;
	struct front_request *request = exchange
		? arena_calloc(http_arena(exchange), 1, sizeof *request)
		: calloc(1, sizeof *request);
	if (!request)
		return NULL;
	/* The bytes of the pass are not needed otherwise. */
	char *bytes = (char *)request->pass_bytes.bytes;
	memcpy(bytes, event.data, event.size);
	if (person.size > 0)
		memcpy(bytes + event.size, person.data, person.size);
	request->exchange = exchange;
	request->item.deadline_ms = exchange ? http_deadline_ms(exchange) : LANE_NEVER;
	request->event = (struct slice){.data = bytes, .size = event.size};
	request->person = (struct slice){.data = bytes + event.size, .size = person.size};
	request->hash = event_hash(event);
	return request;
}

static bool submit_of_nobody(struct waiting_room_routes *routes, struct front_request *request)
{
	return atomic_load_explicit(&routes->started, memory_order_acquire) &&
		lane_submit(front_lane_of(routes, request->hash)->lane, &request->item) ==
		STATUS_OK;
}

void waiting_room_let_out(
	struct waiting_room_routes *routes, struct slice event, struct slice person)
{
	struct front_request *request = request_of_nobody(NULL, event, person);
	if (!request)
		return;
	request->operation = FRONT_LET_OUT;
	if (!submit_of_nobody(routes, request))
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

void waiting_room_refresh(struct waiting_room_routes *routes, struct http_exchange *exchange,
	unsigned status, struct slice event)
{
	struct front_request *request = request_of_nobody(exchange, event, (struct slice){0});
	if (!request) {
		if (exchange) {
			http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
			http_complete(exchange);
		}
		return;
	}
	request->operation = FRONT_REFRESH;
	request->reply_status = status;
	if (!submit_of_nobody(routes, request))
		front_refuse(request, "Too many requests are waiting; it was set all the same.");
}

const char *waiting_room_state_name(enum waiting_room_state state)
{
	return front_room_state_name(state);
}
