/* See redis_streams.h: the operations on people, and how they deal with what a script asks for. */
#include "tech-waiting-room/redis-streams/redis_streams.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/id.h"
#include "lib/base/log.h"
#include "tech-waiting-room/redis-streams/admit.lua.h"
#include "tech-waiting-room/redis-streams/join.lua.h"
#include "tech-waiting-room/redis-streams/person.lua.h"
#include "tech-waiting-room/redis-streams/redis_streams_internal.h"

static const struct redis_script join_script = {"waiting_room_join", lua_join, REDIS_WRITES};
static const struct redis_script admit_script = {"waiting_room_admit", lua_admit, REDIS_WRITES};
static const struct redis_script person_script = {"waiting_room_person", lua_person, REDIS_WRITES};

static const struct waiting_room_traits *redis_streams_traits(const struct waiting_room *room)
{
	return &((const struct redis_streams *)room)->traits;
}

/* Do what a script asked for. `*again`: it may be run again now. */
static enum status serve(struct redis_streams *streams, struct slice event,
	const struct script_reply *head, bool *again)
{
	bool done;
	*again = true;
	switch (head->code) {
	case CODE_NO_ROOM:
		return redis_streams_revive(streams, event, again);
	case CODE_CUT:
		return redis_streams_cut(streams, event, head->epoch, head->number);
	case CODE_SHUFFLE:
		return redis_streams_shuffle_step(streams, event, head->epoch, head->number, &done);
	default:
		*again = false;
		return STATUS_OK;
	}
}

/* ---- join ---- */

static size_t join_arguments(struct redis_streams *streams, const struct room_keys *keys,
	const struct join_request requests[], size_t count, struct shuffle *order)
{
	static const enum room_key used[] = {
		KEY_ROOM, KEY_QUEUE, KEY_LOBBY, KEY_PEOPLE, KEY_BACK, KEY_RANKS, KEY_LATE};
	struct redis_argument *argument = streams->arguments;
	for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
		*argument++ = redis_slice(keys->slices[used[i]]);
	for (size_t i = 0; i < count; i++) {
		const struct join_request *request = &requests[i];
		bool of_order = order && request->token_rank >= 1 &&
			request->token_rank <= shuffle_size(order);
		int64_t place =
			of_order ? shuffle_place(order, request->token_rank) : request->token_place;
		/* A rank that the lobby never had cannot be signed; the script must not ask again.
		 */
		bool useless = order && !of_order && place == 0;
		*argument++ = redis_slice(request->person);
		*argument++ = redis_integer(place);
		*argument++ = redis_integer(request->token_rank);
		*argument++ = redis_integer(useless ? 0 : request->token_epoch);
	}
	return (size_t)(argument - streams->arguments);
}

/* Fill in the places that ranks have become. */
static enum status place_of_record(struct redis_streams *streams, struct slice event,
	const struct person_record *record, bool in_line, struct known_shuffle **order,
	int64_t *place)
{
	*place = record->place;
	if (!in_line || record->place > 0 || record->rank == 0)
		return STATUS_OK;
	if (!*order) {
		enum status status = redis_streams_order(streams, event, order);
		if (status != STATUS_OK)
			return status;
	}
	if (*order && record->rank <= shuffle_size((*order)->shuffle))
		*place = shuffle_place((*order)->shuffle, record->rank);
	return STATUS_OK;
}

static enum status read_joins(struct redis_streams *streams, struct slice event,
	const struct redis_reply *reply, const struct script_reply *head,
	struct join_result results[], size_t count)
{
	struct known_shuffle *order = NULL;
	if (redis_get_count(reply) != 3 + 2 * count)
		return STATUS_REFUSED;
	for (size_t i = 0; i < count; i++) {
		struct person_record record;
		int64_t place;
		int64_t outcome = redis_get_integer(redis_get_item(reply, 3 + 2 * i));
		struct slice text = redis_get_slice(redis_get_item(reply, 4 + 2 * i));
		bool in_line = head->number == 1;
		if (!person_record_read(text, &record))
			return STATUS_REFUSED;
		enum status status =
			place_of_record(streams, event, &record, in_line, &order, &place);
		if (status != STATUS_OK)
			return STATUS_UNKNOWN; /* The joins stand; only the answer is missing. */
		results[i] = (struct join_result){.outcome = (enum join_outcome)outcome,
			.state = person_record_state(&record, in_line),
			.place = place,
			.rank = record.rank,
			.epoch = head->epoch};
	}
	return STATUS_OK;
}

static enum status join_once(struct redis_streams *streams, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count,
	struct shuffle *order, struct script_reply *head)
{
	struct room_keys keys;
	struct redis_reply *reply;
	room_keys_make(&keys, event);
	size_t arguments = join_arguments(streams, &keys, requests, count, order);
	enum status status = redis_evaluate(
		streams->redis, &join_script, 7, streams->arguments, arguments, &reply);
	if (status == STATUS_OK && !script_reply_read(reply, head))
		status = STATUS_REFUSED;
	if (status == STATUS_OK && head->code == CODE_DONE)
		status = read_joins(streams, event, reply, head, results, count);
	redis_reply_free(reply);
	return status;
}

static void refuse_joins(struct join_result results[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		results[i] = (struct join_result){.outcome = JOIN_NO_ROOM};
}

static enum status redis_streams_join(struct waiting_room *room, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	struct redis_streams *streams = redis_streams_of(room);
	struct known_shuffle *order = NULL;
	struct script_reply head = {0};
	assert(count >= 1 && count <= WAITING_ROOM_BATCH_MAX);
	for (size_t step = 0; step < STEPS_MAX; step++) {
		bool again;
		enum status status = join_once(streams, event, requests, results, count,
			order ? order->shuffle : NULL, &head);
		if (status != STATUS_OK || head.code == CODE_DONE)
			return status;
		if (head.code == CODE_RESERVE) {
			again = true;
			status = redis_streams_reserve(streams, event, head.epoch, head.number, 0);
		} else if (head.code == CODE_RANKS) {
			status = redis_streams_order(streams, event, &order);
			again = order != NULL;
		} else {
			status = serve(streams, event, &head, &again);
		}
		if (status != STATUS_OK)
			return status;
		if (!again && head.code == CODE_NO_ROOM) {
			refuse_joins(results, count);
			return STATUS_OK;
		}
	}
	return STATUS_UNAVAILABLE;
}

/* ---- look_up, heartbeat, claim, leave ---- */

static enum status read_people(struct redis_streams *streams, struct slice event,
	const struct redis_reply *reply, const struct script_reply *head,
	struct person_result results[], size_t count)
{
	struct known_shuffle *order = NULL;
	if (redis_get_count(reply) != 3 + 3 * count)
		return STATUS_REFUSED;
	for (size_t i = 0; i < count; i++) {
		struct person_record record;
		int64_t place;
		bool in_line = head->number == 1;
		if (!person_record_read(redis_get_slice(redis_get_item(reply, 3 + 3 * i)), &record))
			return STATUS_REFUSED;
		enum status status =
			place_of_record(streams, event, &record, in_line, &order, &place);
		if (status != STATUS_OK)
			return STATUS_UNKNOWN;
		results[i] = (struct person_result){.state = person_record_state(&record, in_line),
			.changed = redis_get_integer(redis_get_item(reply, 4 + 3 * i)) == 1,
			.claimed = record.claimed,
			.place = place,
			.rank = record.rank,
			.epoch = record.kind ? head->epoch : 0,
			.admitted_at_ms = record.admitted_at_ms,
			.pass_ends_at_ms = redis_get_integer(redis_get_item(reply, 5 + 3 * i))};
	}
	return STATUS_OK;
}

static enum status people_once(struct redis_streams *streams, const char *operation,
	struct slice event, const struct person_request requests[], struct person_result results[],
	size_t count, struct script_reply *head)
{
	struct room_keys keys;
	struct redis_reply *reply;
	struct redis_argument *argument = streams->arguments;
	room_keys_make(&keys, event);
	*argument++ = redis_slice(keys.slices[KEY_ROOM]);
	*argument++ = redis_slice(keys.slices[KEY_PEOPLE]);
	*argument++ = redis_slice(keys.slices[KEY_ACTIVE]);
	*argument++ = redis_slice(keys.slices[KEY_BACK]);
	*argument++ = redis_text(operation);
	for (size_t i = 0; i < count; i++) {
		*argument++ = redis_slice(requests[i].person);
		*argument++ = redis_integer(requests[i].pass_place);
		*argument++ = redis_integer(requests[i].pass_epoch);
		*argument++ = redis_integer(requests[i].pass_admitted_at_ms);
	}
	enum status status = redis_evaluate(streams->redis, &person_script, 4, streams->arguments,
		(size_t)(argument - streams->arguments), &reply);
	if (status == STATUS_OK && !script_reply_read(reply, head))
		status = STATUS_REFUSED;
	if (status == STATUS_OK && head->code == CODE_DONE)
		status = read_people(streams, event, reply, head, results, count);
	redis_reply_free(reply);
	return status;
}

static enum status people_do(struct waiting_room *room, const char *operation, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	struct redis_streams *streams = redis_streams_of(room);
	struct script_reply head = {0};
	assert(count >= 1 && count <= WAITING_ROOM_BATCH_MAX);
	for (size_t step = 0; step < 2; step++) {
		bool again = false;
		enum status status =
			people_once(streams, operation, event, requests, results, count, &head);
		if (status != STATUS_OK || head.code == CODE_DONE)
			return status;
		status = serve(streams, event, &head, &again);
		if (status != STATUS_OK)
			return status;
		if (!again)
			break;
	}
	memset(results, 0, count * sizeof results[0]);
	return STATUS_OK;
}

static enum status redis_streams_look_up(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return people_do(room, "look_up", event, requests, results, count);
}

static enum status redis_streams_heartbeat(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return people_do(room, "heartbeat", event, requests, results, count);
}

static enum status redis_streams_claim(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return people_do(room, "claim", event, requests, results, count);
}

static enum status redis_streams_leave(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return people_do(room, "leave", event, requests, results, count);
}

/* ---- admit ---- */

static size_t admit_arguments(struct redis_streams *streams, const struct room_keys *keys,
	size_t max, const struct known_shuffle *order)
{
	static const enum room_key used[] = {KEY_ROOM, KEY_QUEUE, KEY_PEOPLE, KEY_ACTIVE, KEY_BACK,
		KEY_LOBBY, KEY_RANKS, KEY_LATE};
	struct redis_argument *argument = streams->arguments;
	for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
		*argument++ = redis_slice(keys->slices[used[i]]);
	*argument++ = redis_integer((int64_t)max);
	*argument++ = redis_text(streams->consumer);
	if (!order)
		return (size_t)(argument - streams->arguments);
	/* Some of the next ones will have left. */
	int64_t place = order->serving + 1, last = order->serving + (int64_t)max * 2 + 16;
	*argument++ = redis_integer(place);
	for (; place <= last && place <= shuffle_size(order->shuffle) &&
		place <= order->serving + WAITING_ROOM_BATCH_MAX;
		place++)
		*argument++ = redis_integer(shuffle_rank(order->shuffle, place));
	return (size_t)(argument - streams->arguments);
}

struct admit_call {
	struct admission *admissions;
	size_t max, count;
	struct waiting_room_view *view;
	struct known_shuffle *order;
	struct script_reply head;
};

/* Those whom this step has called, behind those of the steps before. */
static enum status read_admissions(const struct redis_reply *reply, struct admit_call *call)
{
	enum { FIRST = 3, FIELDS = 5 }; /* As admit.lua answers. */
	size_t called = (redis_get_count(reply) - FIRST) / FIELDS;
	if ((redis_get_count(reply) - FIRST) % FIELDS != 0 || called > call->max - call->count)
		return STATUS_REFUSED;
	for (size_t i = 0; i < called; i++) {
		size_t item = FIRST + FIELDS * i;
		struct slice person = redis_get_slice(redis_get_item(reply, item));
		if (person.size > WAITING_ROOM_PERSON_SIZE_MAX)
			return STATUS_REFUSED;
		struct admission *admission = &call->admissions[call->count++];
		*admission = (struct admission){.epoch = call->head.epoch,
			.place = redis_get_integer(redis_get_item(reply, item + 1)),
			.admitted_at_ms = redis_get_integer(redis_get_item(reply, item + 3)),
			.pass_ends_at_ms = redis_get_integer(redis_get_item(reply, item + 4))};
		memcpy(admission->person, person.data, person.size);
	}
	return STATUS_OK;
}

/* The call and the view behind it, in one round trip. */
static enum status admit_once(
	struct redis_streams *streams, struct slice event, struct admit_call *call)
{
	struct room_keys keys;
	struct redis_argument view_arguments[2];
	struct redis_reply *replies[2] = {NULL, NULL};
	bool found;
	room_keys_make(&keys, event);
	size_t count = admit_arguments(streams, &keys, call->max - call->count, call->order);
	const struct redis_request requests[] = {{.script = &admit_script,
							 .key_count = KEY_COUNT,
							 .arguments = streams->arguments,
							 .argument_count = count},
		redis_streams_view_request(&keys, view_arguments)};
	enum status status = redis_pipeline(streams->redis, requests, 2, replies);
	for (size_t i = 0; status == STATUS_OK && i < 2; i++)
		status = redis_reply_status(replies[i]);
	if (status == STATUS_OK &&
		(!script_reply_read(replies[0], &call->head) ||
			(!view_reply_read(replies[1], call->view, &found) && found)))
		status = STATUS_REFUSED;
	if (status == STATUS_OK &&
		(call->head.code == CODE_DONE || call->head.code == CODE_RESERVE ||
			call->head.code == CODE_RANKS))
		status = read_admissions(replies[0], call);
	if (status == STATUS_OK && call->order)
		call->order->serving = call->view->serving;
	redis_reply_free(replies[0]);
	redis_reply_free(replies[1]);
	return status;
}

/* The order of the event's lobby if this instance knows it already. */
static struct known_shuffle *known_order(struct redis_streams *streams, struct slice event)
{
	for (size_t i = 0; i < SHUFFLES_MAX; i++) {
		struct known_shuffle *known = &streams->shuffles[i];
		if (known->shuffle && slice_is(event, known->event) &&
			known->serving < shuffle_size(known->shuffle))
			return known;
	}
	return NULL;
}

static enum status admit_step(
	struct redis_streams *streams, struct slice event, struct admit_call *call, bool *again)
{
	*again = true;
	enum status status = admit_once(streams, event, call);
	if (status != STATUS_OK)
		return status;
	if (call->head.code == CODE_RESERVE)
		return redis_streams_reserve(streams, event, call->head.epoch, 0,
			call->head.number + (int64_t)(call->max - call->count));
	if (call->head.code == CODE_RANKS)
		return redis_streams_order(streams, event, &call->order);
	return serve(streams, event, &call->head, again);
}

static enum status redis_streams_admit(struct waiting_room *room, struct slice event,
	struct admission admissions[], size_t max, size_t *count, struct waiting_room_view *view,
	int64_t *next_ms)
{
	struct redis_streams *streams = redis_streams_of(room);
	struct admit_call call = {.admissions = admissions,
		.max = max < WAITING_ROOM_BATCH_MAX ? max : WAITING_ROOM_BATCH_MAX,
		.view = view,
		.order = known_order(streams, event)};
	bool again = true;
	*count = 0;
	for (size_t step = 0; again && step < STEPS_MAX; step++) {
		enum status status = admit_step(streams, event, &call, &again);
		/* Those who were called already are told, the rest is for the next call. */
		if (status != STATUS_OK && call.count == 0)
			return status;
		again = again && status == STATUS_OK;
		if (status != STATUS_OK)
			call.head.number = 1;
	}
	*count = call.count;
	if (again)
		*next_ms = 1;
	else
		*next_ms = call.head.number < 0 ? INT64_MAX : call.head.number;
	return STATUS_OK;
}

/* ---- open and close ---- */

static void redis_streams_close(struct waiting_room *room)
{
	struct redis_streams *streams = redis_streams_of(room);
	for (size_t i = 0; i < SHUFFLES_MAX; i++)
		shuffle_free(streams->shuffles[i].shuffle);
	room_record_close(streams->record);
	redis_close(streams->redis);
	free(streams);
}

static const struct waiting_room_ops ops = {
	.traits = redis_streams_traits,
	.configure = redis_streams_configure,
	.view = redis_streams_view,
	.list = redis_streams_list,
	.join = redis_streams_join,
	.look_up = redis_streams_look_up,
	.heartbeat = redis_streams_heartbeat,
	.claim = redis_streams_claim,
	.leave = redis_streams_leave,
	.admit = redis_streams_admit,
	.lobby = redis_streams_lobby,
	.close = redis_streams_close,
};

static enum status connect_both(struct redis_streams *streams,
	const struct redis_streams_options *options, int64_t call_ms_max, struct fault *fault)
{
	streams->redis = redis_open(&(struct redis_options){.url = options->redis_url,
		.client_name = "waiting-room",
		.clock = clock_system(),
		.connect_ms_max = call_ms_max,
		.call_ms_max = call_ms_max,
		.fail_fast = options->fail_fast});
	if (!streams->redis)
		return STATUS_UNAVAILABLE;
	enum status status = redis_connect(streams->redis, fault);
	/* Who is not there at the moment is asked again by each call. */
	if (status != STATUS_REFUSED && options->database_url)
		status = room_record_open(options->database_url, call_ms_max, options->fail_fast,
			&streams->record, fault);
	return status == STATUS_REFUSED ? STATUS_REFUSED : STATUS_OK;
}

enum status redis_streams_open(const struct redis_streams_options *options,
	struct waiting_room **room, struct fault *fault)
{
	struct redis_streams *streams = calloc(1, sizeof *streams);
	if (!streams)
		return STATUS_UNAVAILABLE;
	streams->base.ops = &ops;
	streams->block = options->block ? options->block : REDIS_STREAMS_BLOCK_DEFAULT;
	streams->traits = (struct waiting_room_traits){.name = "redis-streams",
		.position_is_exact = true,
		.redelivers = false,
		.survives_restart = true,
		.survives_data_loss = options->database_url != NULL,
		.batch_max = WAITING_ROOM_BATCH_MAX,
		.poll_ms = 100};
	if (options->consumer)
		snprintf(streams->consumer, sizeof streams->consumer, "%s", options->consumer);
	else
		snprintf(
			streams->consumer, sizeof streams->consumer, "process-%ld", (long)getpid());
	enum status status = connect_both(streams, options,
		options->call_ms_max ? options->call_ms_max : REDIS_STREAMS_CALL_MS_DEFAULT, fault);
	if (status != STATUS_OK) {
		redis_streams_close(&streams->base);
		return status;
	}
	*room = &streams->base;
	return STATUS_OK;
}
