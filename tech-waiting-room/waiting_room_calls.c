/* What each operation does with its batch: the calls to the technology, and the replies.
 *
 * Every operation is idempotent by its person, so a call whose outcome is unknown is made once more
 * before anybody is told. */
#include <assert.h>
#include <stdlib.h>

#include "tech-waiting-room/waiting_room_front.h"

enum { CALL_ATTEMPTS_MAX = 2 };

static void apply_joins(struct front_room *room, const struct front_group *group);
static void apply_polls(struct front_room *room, const struct front_group *group);
static void apply_streams(struct front_room *room, const struct front_group *group);
static void apply_follows(struct front_room *room, const struct front_group *group);
static void apply_heartbeats(struct front_room *room, const struct front_group *group);
static void apply_leaves(struct front_room *room, const struct front_group *group);

static void (*const appliers[FRONT_OPERATIONS])(
	struct front_room *room, const struct front_group *group) = {
	[FRONT_JOIN] = apply_joins,
	[FRONT_POLL] = apply_polls,
	[FRONT_STREAM] = apply_streams,
	[FRONT_FOLLOW] = apply_follows,
	[FRONT_HEARTBEAT] = apply_heartbeats,
	[FRONT_LEAVE] = apply_leaves,
	[FRONT_VERIFY] = front_apply_passes,
	[FRONT_CLAIM] = front_apply_passes,
	[FRONT_RELEASE] = front_apply_passes,
	[FRONT_LET_OUT] = front_apply_let_outs,
	[FRONT_VIEW] = front_apply_views,
	[FRONT_LOBBY] = front_apply_lobby,
};

/* Reply to each the same: there is no such room, or it could not be asked. */
void front_fail_group(const struct front_group *group, enum status status)
{
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		if (!request->exchange) {
			free(request);
			continue;
		}
		if (status == STATUS_OK)
			front_reply_no_room(request->exchange);
		else
			front_reply_failed(request->exchange, status);
		http_complete(request->exchange);
	}
}

void front_apply_group(struct front_lane *lane, const struct front_group *group)
{
	if (group->operation == FRONT_CONFIGURE) {
		front_apply_configurations(lane, group);
		return;
	}
	if (group->operation == FRONT_REFRESH) {
		front_apply_refreshes(lane, group);
		return;
	}
	struct front_room *room = NULL;
	enum status status = front_load_room(lane, group->event, group->hash, &room);
	if (status != STATUS_OK || !room)
		front_fail_group(group, status);
	else
		appliers[group->operation](room, group);
	/* What they did may have made the room's turn due. */
	if (room)
		lane_tick_by(lane->lane, room->turn_ms);
}

/* ---- Calls ---- */

enum status front_call_people(
	struct front_room *room, const char *what, front_person_call call, size_t count)
{
	struct front_lane *lane = room->lane;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < CALL_ATTEMPTS_MAX; i++) {
		status = call(lane->adapter, listed_room_event(&room->listed), lane->asked,
			lane->found, count);
		if (status != STATUS_UNKNOWN)
			break;
	}
	return front_answered(lane, what, status) ? STATUS_OK : status;
}

enum status front_call_join(struct front_room *room, size_t count)
{
	struct front_lane *lane = room->lane;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < CALL_ATTEMPTS_MAX; i++) {
		status = waiting_room_join(lane->adapter, listed_room_event(&room->listed),
			lane->joins, lane->joined, count);
		if (status != STATUS_UNKNOWN)
			break;
	}
	return front_answered(lane, "join", status) ? STATUS_OK : status;
}

static struct join_request join_of(const struct front_request *request)
{
	struct join_request join = {.person = request->person};
	if (!front_has_token(request))
		return join;
	join.token_epoch = request->token.epoch;
	if (request->token.kind == PLACE_TOKEN_RANK)
		join.token_rank = request->token.number;
	else
		join.token_place = request->token.number;
	return join;
}

struct person_request front_person_of(const struct front_request *request)
{
	struct person_request person = {.person = request->person};
	if (front_has_pass(request)) {
		person.pass_place = request->pass.place;
		person.pass_epoch = request->pass.epoch;
		person.pass_admitted_at_ms = request->pass.admitted_at_ms;
	}
	return person;
}

size_t front_ask_all(struct front_room *room, const struct front_group *group)
{
	size_t count = 0;
	for (struct front_request *request = group->first; request; request = request->next) {
		assert(count < room->lane->batch_max);
		room->lane->chosen[count] = request;
		room->lane->asked[count++] = front_person_of(request);
	}
	return count;
}

/* When all replies are made: completed one by one as they are made, each would wake its loop. */
static void complete_group(const struct front_group *group)
{
	struct http_burst burst = {0};
	for (struct front_request *request = group->first; request; request = request->next)
		http_burst_add(&burst, request->exchange);
	http_burst_complete(&burst);
}

/* ---- Join ---- */

/* A pass that the room has forgotten makes its holder active again, before the place is looked at:
 * else who was inside would be queued once more. */
static enum status show_passes(struct front_room *room, const struct front_group *group)
{
	size_t count = 0;
	for (struct front_request *request = group->first; request; request = request->next)
		if (front_has_pass(request))
			room->lane->asked[count++] = front_person_of(request);
	return count > 0 ? front_call_people(room, "heartbeat", waiting_room_heartbeat, count)
			 : STATUS_OK;
}

static void reply_join(struct front_room *room, struct front_request *request,
	const struct join_result *result, int64_t now_wall_ms)
{
	struct front_metrics *metrics = &room->lane->routes->metrics;
	char token[TOKEN_TEXT_SIZE];
	if (result->outcome == JOIN_NO_ROOM) {
		front_reply_no_room(request->exchange);
		return;
	}
	if (result->outcome == JOIN_CLOSED) {
		metrics_counter_add(metrics->joins_refused, 1);
		http_reply_problem(request->exchange, &http_problem_conflict,
			"This waiting room takes nobody now.");
		return;
	}
	metrics_counter_add(result->outcome == JOIN_NEW ? metrics->joins_new
			: result->outcome == JOIN_AGAIN ? metrics->joins_again
							: metrics->joins_restored,
		1);
	struct front_standing standing = {
		.state = result->state, .place = result->place, .rank = result->rank};
	standing.place_token = (struct slice){.data = token,
		.size = front_make_token(room->lane->routes, request->event, request->person,
			result->place, result->rank, result->epoch, now_wall_ms, token)};
	front_reply_standing(request->exchange, result->outcome == JOIN_NEW ? 201 : 200,
		&room->snapshot, &standing);
}

/* What a batch of joins tells about the room, until it is viewed again. */
static void note_joins(struct front_room *room, const struct join_result results[], size_t count)
{
	struct waiting_room_view *view = &room->snapshot.view;
	size_t added = 0;
	for (size_t i = 0; i < count; i++) {
		added += results[i].outcome == JOIN_NEW || results[i].outcome == JOIN_RESTORED;
		if (results[i].place > view->tail)
			view->tail = results[i].place;
	}
	if (added == 0)
		return;
	bool was_empty = view->waiting == 0;
	view->waiting += (int64_t)added;
	listed_room_publish(&room->listed, &room->snapshot);
	/* Where others wait already, who comes behind them changes nothing. */
	if (was_empty)
		front_room_stirred(room, clock_monotonic_ms(clock_system()));
}

static void apply_joins(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	size_t count = 0;
	enum status status = show_passes(room, group);
	for (struct front_request *request = group->first; request; request = request->next)
		lane->joins[count++] = join_of(request);
	if (status == STATUS_OK)
		status = front_call_join(room, count);
	if (status != STATUS_OK) {
		front_fail_group(group, status);
		return;
	}
	note_joins(room, lane->joined, count);
	int64_t now_wall_ms = clock_wall_ms(clock_system());
	size_t i = 0;
	for (struct front_request *request = group->first; request; request = request->next)
		reply_join(room, request, &lane->joined[i++], now_wall_ms);
	complete_group(group);
}

/* ---- Polls of those who are called, or come from an earlier epoch ---- */

/* Whoever shows a token of an earlier epoch joins with it: the place is not lost. */
static enum status rejoin(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	size_t count = 0;
	for (struct front_request *request = group->first; request; request = request->next)
		if (request->token.epoch < room->snapshot.view.epoch)
			lane->joins[count++] = join_of(request);
	enum status status = count > 0 ? front_call_join(room, count) : STATUS_OK;
	if (status == STATUS_OK && count > 0)
		note_joins(room, lane->joined, count);
	return status;
}

static void reply_poll(struct front_room *room, struct front_request *request,
	const struct person_result *result, int64_t now_wall_ms)
{
	char token[TOKEN_TEXT_SIZE], pass[TOKEN_TEXT_SIZE];
	if (result->state == PERSON_UNKNOWN) {
		http_reply_problem(request->exchange, &http_problem_not_found,
			"The waiting room does not know this place any more; join again, with "
			"the placeToken.");
		return;
	}
	struct front_standing standing = {
		.state = result->state, .place = result->place, .rank = result->rank};
	if (result->epoch != request->token.epoch)
		standing.place_token = (struct slice){.data = token,
			.size = front_make_token(room->lane->routes, request->event,
				request->person, result->place, result->rank, result->epoch,
				now_wall_ms, token)};
	if (result->state == PERSON_ADMITTED) {
		standing.pass = (struct slice){.data = pass,
			.size = front_make_pass(room->lane->routes, request->event, request->person,
				&room->snapshot, result, pass)};
		standing.pass_ends_at_ms = result->pass_ends_at_ms;
	}
	front_reply_standing(request->exchange, 200, &room->snapshot, &standing);
}

static void apply_polls(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	enum status status = rejoin(room, group);
	size_t count = front_ask_all(room, group);
	if (status == STATUS_OK)
		status = front_call_people(room, "heartbeat", waiting_room_heartbeat, count);
	if (status != STATUS_OK) {
		front_fail_group(group, status);
		return;
	}
	int64_t now_wall_ms = clock_wall_ms(clock_system());
	for (size_t i = 0; i < count; i++)
		reply_poll(room, lane->chosen[i], &lane->found[i], now_wall_ms);
	complete_group(group);
}

/* The room is known now: the same request again begins the stream, which only the loop can do. */
static void apply_streams(struct front_room *room, const struct front_group *group)
{
	(void)room;
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		struct http_exchange *exchange = request->exchange;
		struct slice path = http_path(exchange);
		const char *location = arena_copy(http_arena(exchange), path);
		http_reply_empty(exchange, location ? 307 : 503);
		if (location)
			http_reply_header(exchange, "Location", location);
		http_reply_header(exchange, "Referrer-Policy", "no-referrer");
		http_complete(exchange);
	}
}

static void apply_follows(struct front_room *room, const struct front_group *group)
{
	for (struct front_request *request = group->first, *next; request; request = next) {
		next = request->next;
		front_follow(room, request);
	}
}

/* ---- Heartbeat and leave ---- */

static void reply_heartbeat(struct http_exchange *exchange, const struct person_result *result)
{
	switch (result->state) {
	case PERSON_UNKNOWN:
		http_reply_problem(exchange, &http_problem_not_found,
			"The waiting room does not know this place any more; join again, with "
			"the placeToken.");
		break;
	case PERSON_EXPIRED:
	case PERSON_LEFT:
		http_reply_problem(exchange, &front_problem_gone, "The person has %s.",
			result->state == PERSON_LEFT ? "left" : "been away or here too long");
		break;
	default:
		http_reply_empty(exchange, 204);
	}
}

static void apply_heartbeats(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	size_t count = front_ask_all(room, group);
	/* First the passes, then the places: as with a join. */
	enum status status = front_call_people(room, "heartbeat", waiting_room_heartbeat, count);
	for (size_t i = 0; i < count; i++) {
		struct http_exchange *exchange = lane->chosen[i]->exchange;
		if (status == STATUS_OK)
			reply_heartbeat(exchange, &lane->found[i]);
		else
			front_reply_failed(exchange, status);
	}
	complete_group(group);
}

static void apply_leaves(struct front_room *room, const struct front_group *group)
{
	struct front_lane *lane = room->lane;
	int64_t now_ms = clock_monotonic_ms(clock_system());
	size_t count = front_ask_all(room, group);
	enum status status = front_call_people(room, "leave", waiting_room_leave, count);
	if (status != STATUS_OK) {
		front_fail_group(group, status);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		/* Whoever is not known has nothing left to give back. */
		http_reply_empty(lane->chosen[i]->exchange, 204);
		front_follower_stirred(room, lane->chosen[i]->person, now_ms);
	}
	complete_group(group);
	metrics_counter_add(lane->routes->metrics.left, count);
	front_room_stirred(room, now_ms);
}
