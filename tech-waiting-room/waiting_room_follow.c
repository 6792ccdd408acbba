/* A room's streams on this process: who of them is called is looked up, told, and kept alive.
 *
 * It does not matter who admitted them: this process, or another that shares the room. What is sent
 * to a person's streams:
 *
 *	place     how it stands: after the shuffle, and when the person came back to a new epoch
 *	admitted  the pass; again to each stream that begins later
 *	ended     expired, left, or not known any more: nothing follows, and the stream ends */
#include <stdlib.h>

#include "tech-waiting-room/waiting_room_front.h"

enum {
	CALLED_RETRY_MS = 1000, /* For who is called but not admitted: restored, or just passed. */
	UNSEEN_RETRY_MS = 250,
	OUTAGE_RETRY_MS = 500,
	VISIT_MS_MIN = 200,
	VISIT_MS_MAX = 5000,
	UNSEEN_MS_MAX = 60000, /* Much longer than a loop is ever late. */
	LOBBY_PER_TURN_MAX = 2000,
	/* An open stream counts as a heartbeat three times as often as is needed, and is looked at
	 * twice as often as that. */
	BEATS_PER_SILENCE = 3,
	VISITS_PER_SILENCE = 6,
};

static void take_seen(struct front_room *room);
static void return_to_epoch(struct front_room *room, int64_t now_ms);
static void place_lobby(struct front_room *room, int64_t now_ms);
static void call_followers(struct front_room *room, int64_t now_ms);
static void ask_after(struct front_room *room, enum follower_standing standing, int64_t now_ms);
static void visit(struct front_room *room, int64_t now_ms);
static int64_t next_ms(const struct front_room *room, int64_t now_ms);

void front_room_follow(struct front_room *room, int64_t now_ms)
{
	struct front_lane *lane = room->lane;
	room->follow_ms = LANE_NEVER;
	take_seen(room);
	if (room->followers.count == 0)
		return;
	return_to_epoch(room, now_ms);
	place_lobby(room, now_ms);
	call_followers(room, now_ms);
	ask_after(room, FOLLOWER_CALLED, now_ms);
	ask_after(room, FOLLOWER_ADMITTED, now_ms);
	visit(room, now_ms);
	room->follow_ms = next_ms(room, now_ms);
	if (!atomic_load_explicit(&lane->answers, memory_order_relaxed) &&
		room->follow_ms < now_ms + OUTAGE_RETRY_MS)
		room->follow_ms = now_ms + OUTAGE_RETRY_MS;
}

/* ---- Sending ---- */

static void send_standing(struct front_room *room, const struct follower *follower,
	const char *type, const struct front_standing *standing)
{
	char text[FRONT_STANDING_SIZE];
	/* Where memory is short now, the stream's next beginning tells it. */
	(void)!http_channel_send(room->channel, follower_person(follower), type,
		front_standing_text(text, &room->snapshot, standing));
}

/* What a new epoch or the shuffle gave: a place, with the token for it. */
static void send_place(
	struct front_room *room, const struct follower *follower, enum person_state state)
{
	char token[TOKEN_TEXT_SIZE];
	struct front_standing standing = {
		.state = state, .place = follower->place, .rank = follower->rank};
	standing.place_token = (struct slice){.data = token,
		.size = front_make_token(room->lane->routes, listed_room_event(&room->listed),
			follower_person(follower), follower->place, follower->rank, follower->epoch,
			clock_wall_ms(clock_system()), token)};
	send_standing(room, follower, "place", &standing);
}

static void send_pass(struct front_room *room, const struct follower *follower,
	const struct person_result *result)
{
	char pass[TOKEN_TEXT_SIZE];
	struct front_standing standing = {.state = PERSON_ADMITTED,
		.place = result->place,
		.rank = result->rank,
		.pass_ends_at_ms = result->pass_ends_at_ms};
	standing.pass = (struct slice){.data = pass,
		.size = front_make_pass(room->lane->routes, listed_room_event(&room->listed),
			follower_person(follower), &room->snapshot, result, pass)};
	send_standing(room, follower, "admitted", &standing);
	metrics_counter_add(room->lane->routes->metrics.passes_told, 1);
}

static void end_streams(struct front_room *room, struct follower *follower, enum person_state state)
{
	char text[FRONT_STANDING_SIZE];
	struct front_standing standing = {
		.state = state, .place = follower->place, .rank = follower->rank};
	(void)!http_channel_finish(room->channel, follower_person(follower), "ended",
		front_standing_text(text, &room->snapshot, &standing));
	followers_drop(&room->followers, follower);
}

/* ---- Where a follower stands ---- */

static int64_t beat_ms(const struct front_room *room)
{
	return room->snapshot.view.settings.heartbeat_seconds * 1000 / BEATS_PER_SILENCE;
}

/* Put a follower where it belongs by what is known from memory. */
static void sort_in(struct front_room *room, struct follower *follower, int64_t now_ms)
{
	const struct waiting_room_view *view = &room->snapshot.view;
	struct followers *followers = &room->followers;
	follower->due_ms = now_ms;
	if (follower->place == 0 && follower->epoch == view->epoch)
		follower->place = front_place_of_rank(room, &room->snapshot, follower->rank);
	if (follower->epoch < view->epoch)
		followers_move(followers, follower, FOLLOWER_RETURNS);
	else if (follower->place == 0)
		followers_move(followers, follower, FOLLOWER_IN_LOBBY);
	else if (follower->place > view->serving)
		followers_move(followers, follower, FOLLOWER_WAITS);
	else
		followers_move(followers, follower, FOLLOWER_CALLED);
}

void front_follow(struct front_room *room, struct front_request *request)
{
	int64_t now_ms = clock_monotonic_ms(clock_system());
	const struct place_token *token = &request->token;
	if (room->followers.count == 0)
		room->followed_epoch = room->snapshot.view.epoch;
	struct follower *follower = followers_add(&room->followers, request->person);
	if (!follower) {
		/* Memory is short: let it come back. */
		(void)!http_channel_finish(room->channel, request->person, NULL, (struct slice){0});
		free(request);
		return;
	}
	if (token->epoch > follower->epoch) {
		bool is_rank = token->kind == PLACE_TOKEN_RANK;
		follower->epoch = token->epoch;
		follower->admitted_at_ms = 0;
		follower->place = is_rank ? 0 : token->number;
		follower->rank = is_rank ? token->number : 0;
	}
	follower->seen_ms = now_ms;
	follower->told = false;
	sort_in(room, follower, now_ms);
	room->follow_ms = room->turn_ms = now_ms;
	free(request);
}

void front_follower_stirred(struct front_room *room, struct slice person, int64_t now_ms)
{
	struct follower *follower = followers_find(&room->followers, person);
	if (!follower)
		return;
	follower->due_ms = now_ms;
	followers_move(&room->followers, follower, FOLLOWER_CALLED);
	room->turn_ms = now_ms;
}

static void take_numbers(struct follower *follower, int64_t place, int64_t rank, int64_t epoch,
	int64_t admitted_at_ms)
{
	follower->place = place;
	follower->rank = rank;
	follower->epoch = epoch;
	follower->admitted_at_ms = admitted_at_ms;
}

/* What the room said of a follower who was called or admitted. */
static void take_result(struct front_room *room, struct follower *follower,
	const struct person_result *result, int64_t now_ms)
{
	follower->asked_ms = now_ms;
	switch (result->state) {
	case PERSON_ADMITTED:
		if (!follower->told)
			send_pass(room, follower, result);
		take_numbers(follower, result->place, result->rank, result->epoch,
			result->admitted_at_ms);
		follower->told = true;
		follower->due_ms = now_ms + beat_ms(room);
		followers_move(&room->followers, follower, FOLLOWER_ADMITTED);
		return;
	case PERSON_EXPIRED:
	case PERSON_LEFT:
		end_streams(room, follower, result->state);
		return;
	case PERSON_UNKNOWN:
		/* An epoch that this lane has not heard of yet, or a room that has lost all. */
		if (follower->epoch >= room->snapshot.view.epoch)
			end_streams(room, follower, PERSON_UNKNOWN);
		else
			followers_move(&room->followers, follower, FOLLOWER_RETURNS);
		return;
	case PERSON_LOBBY:
	case PERSON_WAITING:
		take_numbers(follower, result->place, result->rank, result->epoch, 0);
		sort_in(room, follower, now_ms);
		follower->due_ms = now_ms + CALLED_RETRY_MS;
	}
}

/* ---- The parts of the turn ---- */

/* An open stream is a heartbeat, also the one that shows the pass after a loss: whoever was inside
 * is counted again before the place is looked at, and is not queued once more. */
static bool show_passes(struct front_room *room, size_t count)
{
	struct front_lane *lane = room->lane;
	size_t shown = 0;
	for (size_t i = 0; i < count; i++) {
		const struct follower *follower = lane->followers[i];
		if (follower->admitted_at_ms > 0)
			lane->asked[shown++] =
				(struct person_request){.person = follower_person(follower),
					.pass_place = follower->place,
					.pass_epoch = follower->epoch,
					.pass_admitted_at_ms = follower->admitted_at_ms};
	}
	return shown == 0 ||
		front_call_people(room, "heartbeat", waiting_room_heartbeat, shown) == STATUS_OK;
}

/* A new epoch: everybody joins again with what they have, as they would by themselves. */
static void return_to_epoch(struct front_room *room, int64_t now_ms)
{
	struct front_lane *lane = room->lane;
	struct followers *followers = &room->followers;
	size_t count = 0;
	for (struct follower *follower = followers_first(followers, FOLLOWER_RETURNS);
		follower && count < lane->batch_max; follower = follower->next) {
		lane->followers[count] = follower;
		lane->joins[count++] = (struct join_request){.person = follower_person(follower),
			.token_place = follower->place,
			.token_rank = follower->place > 0 ? 0 : follower->rank,
			.token_epoch = follower->epoch};
	}
	if (count == 0 || !show_passes(room, count) || front_call_join(room, count) != STATUS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		struct follower *follower = lane->followers[i];
		const struct join_result *result = &lane->joined[i];
		if (result->outcome == JOIN_NO_ROOM || result->outcome == JOIN_CLOSED) {
			end_streams(room, follower, PERSON_UNKNOWN);
			continue;
		}
		take_numbers(follower, result->place, result->rank, result->epoch, 0);
		follower->told = false;
		send_place(room, follower, result->state);
		sort_in(room, follower, now_ms);
		/* Whoever is inside is found so at once, wherever `serving` stands. */
		if (result->state != PERSON_WAITING && result->state != PERSON_LOBBY)
			followers_move(followers, follower, FOLLOWER_CALLED);
	}
}

/* After the shuffle: everybody gets a place. */
static void place_lobby(struct front_room *room, int64_t now_ms)
{
	const struct room_order *order = atomic_load_explicit(&room->order, memory_order_acquire);
	if (!order || order->epoch != room->snapshot.view.epoch)
		return;
	for (size_t i = 0; i < LOBBY_PER_TURN_MAX; i++) {
		struct follower *follower = followers_first(&room->followers, FOLLOWER_IN_LOBBY);
		if (!follower)
			return;
		sort_in(room, follower, now_ms);
		if (follower->place == 0) /* No rank of this lobby: the room knows better. */
			followers_move(&room->followers, follower, FOLLOWER_CALLED);
		else
			send_place(room, follower, PERSON_WAITING);
	}
}

/* Those whose turn has come, and in a new epoch all. */
static void call_followers(struct front_room *room, int64_t now_ms)
{
	const struct waiting_room_view *view = &room->snapshot.view;
	if (room->followed_epoch < view->epoch)
		followers_return(&room->followers);
	room->followed_epoch = view->epoch;
	for (struct follower *first; (first = followers_first(&room->followers, FOLLOWER_WAITS)) &&
		first->place <= view->serving;) {
		first->due_ms = now_ms;
		followers_move(&room->followers, first, FOLLOWER_CALLED);
	}
}

/* Whether it may be asked after: of somebody admitted, to ask is to say that the person is there.
 */
static bool may_ask(const struct follower *follower)
{
	return follower->standing != FOLLOWER_ADMITTED || follower->seen_ms > follower->asked_ms;
}

/* Ask the room after those of a list who are due. */
static void ask_after(struct front_room *room, enum follower_standing standing, int64_t now_ms)
{
	struct front_lane *lane = room->lane;
	struct followers *followers = &room->followers;
	size_t count = 0;
	/* All of it: who is asked again later stands in front of who has just been called. */
	for (struct follower *follower = followers_first(followers, standing);
		follower && count < lane->batch_max; follower = follower->next) {
		if (follower->due_ms > now_ms)
			continue;
		if (!may_ask(follower)) {
			follower->due_ms = now_ms + UNSEEN_RETRY_MS;
			continue;
		}
		lane->followers[count] = follower;
		lane->asked[count++] = (struct person_request){.person = follower_person(follower)};
	}
	if (count == 0 ||
		front_call_people(room, "heartbeat", waiting_room_heartbeat, count) != STATUS_OK)
		return;
	for (size_t i = 0; i < count; i++)
		take_result(room, lane->followers[i], &lane->found[i], now_ms);
}

/* ---- Whose stream is still open ---- */

void front_see_people(void *context, const struct slice people[], size_t count)
{
	struct front_room *room = context;
	struct seen_people *seen = malloc(sizeof *seen + count * sizeof seen->people[0]);
	if (!seen)
		return; /* The next visit sees them. */
	seen->seen_ms = clock_monotonic_ms(clock_system());
	seen->count = count;
	for (size_t i = 0; i < count; i++) {
		seen->people[i].size = (uint8_t)people[i].size;
		memcpy(seen->people[i].person, people[i].data, people[i].size);
	}
	seen->next = atomic_load_explicit(&room->seen, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&room->seen, &seen->next, seen, memory_order_release, memory_order_relaxed))
		;
}

static void take_seen(struct front_room *room)
{
	struct seen_people *seen =
		atomic_exchange_explicit(&room->seen, NULL, memory_order_acquire);
	for (struct seen_people *next; seen; seen = next) {
		next = seen->next;
		for (size_t i = 0; i < seen->count; i++) {
			struct follower *follower = followers_find(&room->followers,
				(struct slice){seen->people[i].person, seen->people[i].size});
			if (follower && follower->seen_ms < seen->seen_ms)
				follower->seen_ms = seen->seen_ms;
		}
		free(seen);
	}
}

static void visit(struct front_room *room, int64_t now_ms)
{
	if (now_ms < room->visit_ms)
		return;
	int64_t wait_ms = VISIT_MS_MAX;
	if (followers_first(&room->followers, FOLLOWER_ADMITTED))
		wait_ms =
			room->snapshot.view.settings.heartbeat_seconds * 1000 / VISITS_PER_SILENCE;
	wait_ms = wait_ms < VISIT_MS_MIN ? VISIT_MS_MIN : wait_ms;
	wait_ms = wait_ms > VISIT_MS_MAX ? VISIT_MS_MAX : wait_ms;
	room->visit_ms = now_ms + wait_ms;
	followers_drop_unseen(&room->followers, now_ms - UNSEEN_MS_MAX);
	/* Where memory is short, the next time. */
	(void)!http_channel_visit_keys(room->channel, &room->visit);
}

static int64_t due_ms(const struct front_room *room, enum follower_standing standing)
{
	int64_t due = LANE_NEVER;
	for (const struct follower *follower = followers_first(&room->followers, standing);
		follower; follower = follower->next)
		due = follower->due_ms < due ? follower->due_ms : due;
	return due;
}

static int64_t next_ms(const struct front_room *room, int64_t now_ms)
{
	const struct followers *followers = &room->followers;
	int64_t next = room->visit_ms;
	int64_t called = due_ms(room, FOLLOWER_CALLED), admitted = due_ms(room, FOLLOWER_ADMITTED);
	next = called < next ? called : next;
	next = admitted < next ? admitted : next;
	bool placing =
		room->snapshot.view.shuffled && followers_first(followers, FOLLOWER_IN_LOBBY);
	if (placing || followers_first(followers, FOLLOWER_RETURNS))
		next = now_ms + 1;
	return next;
}
