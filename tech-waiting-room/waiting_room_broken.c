/* See waiting_room_broken.h. */
#include "tech-waiting-room/waiting_room_broken.h"

#include <stdlib.h>
#include <string.h>

struct broken {
	struct waiting_room base;
	struct waiting_room *inner;
	enum waiting_room_breakage breakage;
	struct join_request joins[WAITING_ROOM_BATCH_MAX];
	struct join_result joined[WAITING_ROOM_BATCH_MAX];
	struct person_request people[WAITING_ROOM_BATCH_MAX];
	struct person_result claimed[WAITING_ROOM_BATCH_MAX];
};

static struct broken *broken_of(struct waiting_room *room)
{
	return (struct broken *)room;
}

static void damage_view(struct broken *broken, struct waiting_room_view *view)
{
	if (broken->breakage == BREAK_SERVING_PASSES_TAIL && view->admitted > 0)
		view->serving = view->tail + 1;
	if (broken->breakage == BREAK_SERVING_GOES_BACK && view->waiting % 2 == 1 &&
		view->serving > 0)
		view->serving--;
	if (broken->breakage == BREAK_CHANGE_SEED && view->shuffled)
		view->seed[0] ^= 1;
}

static const struct waiting_room_traits *broken_traits(const struct waiting_room *room)
{
	return waiting_room_traits(((const struct broken *)room)->inner);
}

static enum status broken_configure(struct waiting_room *room, struct slice event,
	const struct waiting_room_settings *settings, struct waiting_room_view *view)
{
	struct broken *broken = broken_of(room);
	struct waiting_room_settings other = *settings;
	if (broken->breakage == BREAK_IGNORE_RATE)
		other.rate_per_second = WAITING_ROOM_RATE_MAX;
	if (broken->breakage == BREAK_CALL_WHILE_PAUSED && other.state == WAITING_ROOM_PAUSED)
		other.state = WAITING_ROOM_OPEN;
	if (broken->breakage == BREAK_IGNORE_SILENCE)
		other.heartbeat_seconds = WAITING_ROOM_SECONDS_MAX;
	if (broken->breakage == BREAK_IGNORE_SESSION_END)
		other.session_seconds = WAITING_ROOM_SECONDS_MAX;
	if (broken->breakage == BREAK_ADMIT_ONE_TOO_MANY && other.active_max > 0)
		other.active_max++;
	enum status status = waiting_room_configure(broken->inner, event, &other, view);
	if (status == STATUS_OK && view) {
		view->settings = *settings;
		damage_view(broken, view);
	}
	return status;
}

static enum status broken_view(
	struct waiting_room *room, struct slice event, struct waiting_room_view *view, bool *found)
{
	enum status status = waiting_room_view(broken_of(room)->inner, event, view, found);
	damage_view(broken_of(room), view);
	return status;
}

static enum status broken_list(struct waiting_room *room,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count)
{
	return waiting_room_list(broken_of(room)->inner, events, max, count);
}

/* ---- joining ---- */

static enum status join_reordered(struct broken *broken, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		broken->joins[i] = requests[count - 1 - i];
	enum status status =
		waiting_room_join(broken->inner, event, broken->joins, broken->joined, count);
	for (size_t i = 0; i < count; i++)
		results[i] = broken->joined[count - 1 - i];
	return status;
}

/* Whoever is known joins once more under another name. */
static enum status join_redelivered(struct broken *broken, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	enum status status = waiting_room_join(broken->inner, event, requests, results, count);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		if (results[i].outcome != JOIN_AGAIN)
			continue;
		char name[WAITING_ROOM_PERSON_SIZE_MAX];
		struct join_request again = requests[i];
		memcpy(name, again.person.data, again.person.size);
		name[again.person.size - 1] = '\1';
		again.person.data = name;
		status = waiting_room_join(broken->inner, event, &again, &results[i], 1);
		results[i].outcome = JOIN_AGAIN;
	}
	return status;
}

static enum status join_lost(struct broken *broken, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	enum status status = waiting_room_join(broken->inner, event, requests, results, count);
	if (status != STATUS_OK || count == 0 || results[count - 1].outcome != JOIN_NEW)
		return status;
	broken->people[0] = (struct person_request){.person = requests[count - 1].person};
	return waiting_room_leave(broken->inner, event, broken->people, broken->claimed, 1);
}

static enum status join_without_tokens(struct broken *broken, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		broken->joins[i] = (struct join_request){.person = requests[i].person};
	return waiting_room_join(broken->inner, event, broken->joins, results, count);
}

static enum status broken_join(struct waiting_room *room, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	struct broken *broken = broken_of(room);
	if (broken->breakage == BREAK_REORDER_JOINS)
		return join_reordered(broken, event, requests, results, count);
	if (broken->breakage == BREAK_REDELIVERED_JOIN)
		return join_redelivered(broken, event, requests, results, count);
	if (broken->breakage == BREAK_LOSE_JOIN)
		return join_lost(broken, event, requests, results, count);
	if (broken->breakage == BREAK_FORGET_TOKENS)
		return join_without_tokens(broken, event, requests, results, count);
	return waiting_room_join(broken->inner, event, requests, results, count);
}

/* ---- one person ---- */

static enum status broken_look_up(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return waiting_room_look_up(broken_of(room)->inner, event, requests, results, count);
}

static enum status broken_heartbeat(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	struct broken *broken = broken_of(room);
	if (broken->breakage != BREAK_FORGET_PASSES)
		return waiting_room_heartbeat(broken->inner, event, requests, results, count);
	for (size_t i = 0; i < count; i++)
		broken->people[i] = (struct person_request){.person = requests[i].person};
	return waiting_room_heartbeat(broken->inner, event, broken->people, results, count);
}

static enum status broken_claim(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return waiting_room_claim(broken_of(room)->inner, event, requests, results, count);
}

static enum status broken_leave(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	struct broken *broken = broken_of(room);
	if (broken->breakage != BREAK_FORGET_LEAVE)
		return waiting_room_leave(broken->inner, event, requests, results, count);
	enum status status = waiting_room_look_up(broken->inner, event, requests, results, count);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		results[i].changed = results[i].state == PERSON_LOBBY ||
			results[i].state == PERSON_WAITING || results[i].state == PERSON_ADMITTED;
		if (results[i].changed)
			results[i].state = PERSON_LEFT;
	}
	return status;
}

/* ---- calling ---- */

/* Claim for everybody who was just admitted. */
static enum status claim_for_all(struct broken *broken, struct slice event,
	const struct admission admissions[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		broken->people[i] =
			(struct person_request){.person = slice_of(admissions[i].person)};
	return waiting_room_claim(broken->inner, event, broken->people, broken->claimed, count);
}

static enum status broken_admit(struct waiting_room *room, struct slice event,
	struct admission admissions[], size_t max, size_t *count, struct waiting_room_view *view,
	int64_t *next_ms)
{
	struct broken *broken = broken_of(room);
	enum status status =
		waiting_room_admit(broken->inner, event, admissions, max, count, view, next_ms);
	if (status != STATUS_OK)
		return status;
	damage_view(broken, view);
	if (broken->breakage == BREAK_IGNORE_CLAIM_WINDOW)
		status = claim_for_all(broken, event, admissions, *count);
	if (broken->breakage == BREAK_LOSE_ADMISSION && *count > 0)
		--*count;
	return status;
}

static enum status broken_lobby(struct waiting_room *room, struct slice event, int64_t from,
	char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count)
{
	return waiting_room_lobby(broken_of(room)->inner, event, from, people, max, count);
}

/* ---- opening and closing ---- */

static void broken_close(struct waiting_room *room)
{
	waiting_room_close(broken_of(room)->inner);
	free(broken_of(room));
}

static const struct waiting_room_ops broken_ops = {
	.traits = broken_traits,
	.configure = broken_configure,
	.view = broken_view,
	.list = broken_list,
	.join = broken_join,
	.look_up = broken_look_up,
	.heartbeat = broken_heartbeat,
	.claim = broken_claim,
	.leave = broken_leave,
	.admit = broken_admit,
	.lobby = broken_lobby,
	.close = broken_close,
};

struct waiting_room *waiting_room_broken(
	struct waiting_room *room, enum waiting_room_breakage breakage)
{
	struct broken *broken = calloc(1, sizeof *broken);
	if (!broken)
		return NULL;
	broken->base.ops = &broken_ops;
	broken->inner = room;
	broken->breakage = breakage;
	return &broken->base;
}

const char *waiting_room_breakage_name(enum waiting_room_breakage breakage)
{
	static const char *const names[BREAK_COUNT] = {
		[BREAK_NOTHING] = "nothing",
		[BREAK_REORDER_JOINS] = "reorder_joins",
		[BREAK_REDELIVERED_JOIN] = "redelivered_join",
		[BREAK_LOSE_JOIN] = "lose_join",
		[BREAK_LOSE_ADMISSION] = "lose_admission",
		[BREAK_ADMIT_ONE_TOO_MANY] = "admit_one_too_many",
		[BREAK_SERVING_PASSES_TAIL] = "serving_passes_tail",
		[BREAK_FORGET_LEAVE] = "forget_leave",
		[BREAK_CALL_WHILE_PAUSED] = "call_while_paused",
		[BREAK_IGNORE_RATE] = "ignore_rate",
		[BREAK_IGNORE_CLAIM_WINDOW] = "ignore_claim_window",
		[BREAK_IGNORE_SILENCE] = "ignore_silence",
		[BREAK_IGNORE_SESSION_END] = "ignore_session_end",
		[BREAK_SERVING_GOES_BACK] = "serving_goes_back",
		[BREAK_CHANGE_SEED] = "change_seed",
		[BREAK_FORGET_TOKENS] = "forget_tokens",
		[BREAK_FORGET_PASSES] = "forget_passes",
	};
	return names[breakage];
}
