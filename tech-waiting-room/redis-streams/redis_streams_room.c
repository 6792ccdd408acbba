/* Rooms as a whole: made, changed, looked at, revived after a loss, numbers reserved. */
#include <assert.h>
#include <stdio.h>

#include "lib/base/id.h"
#include "lib/base/log.h"
#include "tech-waiting-room/redis-streams/advance.lua.h"
#include "tech-waiting-room/redis-streams/configure.lua.h"
#include "tech-waiting-room/redis-streams/create.lua.h"
#include "tech-waiting-room/redis-streams/redis_streams_internal.h"
#include "tech-waiting-room/redis-streams/room_state.h"
#include "tech-waiting-room/redis-streams/view.lua.h"

static const struct redis_script configure_script = {
	"waiting_room_configure", lua_configure, REDIS_WRITES};
static const struct redis_script create_script = {"waiting_room_create", lua_create, REDIS_WRITES};
static const struct redis_script advance_script = {
	"waiting_room_advance", lua_advance, REDIS_WRITES};
static const struct redis_script view_script = {"waiting_room_view", lua_view, REDIS_READS};
static const struct redis_command add_to_set = {"SADD", REDIS_WRITES};
static const struct redis_command members = {"SMEMBERS", REDIS_READS};

/* The names of all rooms; not in any event's slot. */
static const char rooms_key[] = "wr:rooms";

void room_keys_make(struct room_keys *keys, struct slice event)
{
	static const char *const names[KEY_COUNT] = {
		"room", "queue", "lobby", "people", "active", "back", "ranks", "late"};
	for (size_t i = 0; i < KEY_COUNT; i++)
		/* cppcheck-suppress uninitvar ; redis_key fills it */
		keys->slices[i] = redis_key(keys->texts[i], "wr", event, names[i]);
}

/* ---- The view ---- */

struct redis_request redis_streams_view_request(
	const struct room_keys *keys, struct redis_argument arguments[2])
{
	arguments[0] = redis_slice(keys->slices[KEY_ROOM]);
	arguments[1] = redis_slice(keys->slices[KEY_ACTIVE]);
	return (struct redis_request){.script = &view_script,
		.key_count = 2,
		.arguments = arguments,
		.argument_count = 2};
}

enum status redis_streams_peek(struct redis_streams *streams, struct slice event,
	struct waiting_room_view *view, bool *found)
{
	struct room_keys keys;
	struct redis_reply *reply;
	room_keys_make(&keys, event);
	enum status status = redis_evaluate(streams->redis, &view_script, 2,
		REDIS_ARGUMENTS(
			redis_slice(keys.slices[KEY_ROOM]), redis_slice(keys.slices[KEY_ACTIVE])),
		&reply);
	if (status == STATUS_OK && !view_reply_read(reply, view, found))
		status = STATUS_REFUSED;
	redis_reply_free(reply);
	return status;
}

enum status redis_streams_view(
	struct waiting_room *room, struct slice event, struct waiting_room_view *view, bool *found)
{
	struct redis_streams *streams = redis_streams_of(room);
	*view = (struct waiting_room_view){0};
	*found = false;
	enum status status = redis_streams_peek(streams, event, view, found);
	if (status != STATUS_OK || *found)
		return status;
	status = redis_streams_revive(streams, event, found);
	if (status != STATUS_OK || !*found)
		return status;
	return redis_streams_peek(streams, event, view, found);
}

enum status redis_streams_list(struct waiting_room *room,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count)
{
	struct redis_streams *streams = redis_streams_of(room);
	struct redis_reply *reply;
	*count = 0;
	if (streams->record)
		return room_record_list(streams->record, events, max, count);
	enum status status = redis_execute(
		streams->redis, &members, REDIS_ARGUMENTS(redis_text(rooms_key)), &reply);
	for (size_t i = 0; status == STATUS_OK && i < redis_get_count(reply) && *count < max; i++) {
		struct slice event = redis_get_slice(redis_get_item(reply, i));
		if (event.size <= WAITING_ROOM_EVENT_SIZE_MAX)
			snprintf(events[(*count)++], sizeof events[0], "%.*s", SLICE_PRINT(event));
	}
	redis_reply_free(reply);
	return status;
}

/* ---- Making and changing ---- */

static struct room_record_row new_row(
	const struct waiting_room_settings *settings, const uint8_t seed[WAITING_ROOM_SEED_SIZE])
{
	bool lobby = settings->state == WAITING_ROOM_LOBBY;
	struct room_record_row row = {.settings = *settings,
		.epoch = 1,
		.tail_ceiling = CEILING_NONE,
		.serving_ceiling = CEILING_NONE,
		.had_lobby = lobby,
		.lobby_cut = lobby ? -1 : 0};
	memcpy(row.seed, seed, sizeof row.seed);
	return row;
}

/* Which part of its life a room of this record is in. */
static const char *stage_of(const struct room_record_row *row)
{
	if (!row->had_lobby || row->shuffled)
		return "line";
	if (row->lobby_cut >= 0)
		return "fixed";
	return row->settings.state == WAITING_ROOM_LOBBY ? "lobby" : "cut";
}

/* What both lines go on from, and up to where. */
struct numbers {
	int64_t tail, tail_max, serving, serving_max, quiet_ms;
};

static enum status create(struct redis_streams *streams, struct slice event,
	const struct room_record_row *row, const struct numbers *numbers)
{
	struct room_keys keys;
	char rate[ROOM_RATE_SIZE];
	room_keys_make(&keys, event);
	room_rate_format(row->settings.rate_per_second, rate);
	struct slice seed = {.data = (const char *)row->seed, .size = sizeof row->seed};
	struct slice hash = {.data = (const char *)row->lobby_hash,
		.size = row->shuffled ? sizeof row->lobby_hash : 0};
	int64_t cut = row->lobby_cut >= 0 ? row->lobby_cut : numbers->tail;
	return redis_evaluate(streams->redis, &create_script, 2,
		REDIS_ARGUMENTS(redis_slice(keys.slices[KEY_ROOM]),
			redis_slice(keys.slices[KEY_QUEUE]), redis_integer(row->epoch),
			redis_text(room_state_name(row->settings.state)), redis_text(rate),
			redis_integer(row->settings.active_max),
			redis_integer(row->settings.claim_seconds * 1000),
			redis_integer(row->settings.heartbeat_seconds * 1000),
			redis_integer(row->settings.session_seconds * 1000),
			redis_integer(row->settings.starts_at_ms), redis_text(stage_of(row)),
			redis_integer(row->had_lobby), redis_integer(cut),
			redis_integer(numbers->tail), redis_integer(numbers->tail_max),
			redis_integer(numbers->serving), redis_integer(numbers->serving_max),
			redis_slice(seed), redis_slice(hash), redis_integer(numbers->quiet_ms)),
		NULL);
}

/* UNKNOWN of a write that may be made again, which is all that is said of it. */
static enum status as_unavailable(enum status status)
{
	return status == STATUS_UNKNOWN ? STATUS_UNAVAILABLE : status;
}

enum status redis_streams_revive(struct redis_streams *streams, struct slice event, bool *found)
{
	struct room_record_row row;
	*found = false;
	if (!streams->record)
		return STATUS_OK;
	enum status status = room_record_load(streams->record, event, &row, found);
	if (status != STATUS_OK || !*found)
		return as_unavailable(status);
	status = room_record_next_epoch(streams->record, event, row.epoch + 1);
	if (status == STATUS_OK)
		status = room_record_load(streams->record, event, &row, found);
	if (status != STATUS_OK || !*found)
		return as_unavailable(status);
	/* An epoch alone does not tell of a loss: another server may just be making the room. Where
	 * no number was ever reserved, nobody has got one, and nobody can have been called. */
	bool lost = row.tail_ceiling > 0;
	int64_t serving =
		row.serving_ceiling < row.tail_ceiling ? row.serving_ceiling : row.tail_ceiling;
	struct numbers numbers = {.tail = row.tail_ceiling,
		.tail_max = row.tail_ceiling,
		.serving = serving,
		.serving_max = row.serving_ceiling,
		.quiet_ms = lost ? row.settings.heartbeat_seconds * 1000 : 0};
	if (lost)
		log_warning("waiting_room.revived", LOG_SLICE("event", event),
			LOG_INTEGER("epoch", row.epoch), LOG_INTEGER("tail", row.tail_ceiling),
			LOG_INTEGER("serving", row.serving_ceiling));
	return as_unavailable(create(streams, event, &row, &numbers));
}

static enum status create_unrecorded(struct redis_streams *streams, struct slice event,
	const struct waiting_room_settings *settings, const uint8_t seed[WAITING_ROOM_SEED_SIZE])
{
	static const struct numbers numbers = {
		.tail_max = CEILING_NONE, .serving_max = CEILING_NONE};
	struct room_record_row row = new_row(settings, seed);
	/* First the name, since the other way round a room could be forgotten. */
	enum status status = redis_execute(streams->redis, &add_to_set,
		REDIS_ARGUMENTS(redis_text(rooms_key), redis_slice(event)), NULL);
	return status == STATUS_OK ? create(streams, event, &row, &numbers) : status;
}

static enum status configure_in_redis(struct redis_streams *streams, struct slice event,
	const struct waiting_room_settings *settings, enum script_code *code)
{
	struct room_keys keys;
	struct redis_reply *reply;
	char rate[ROOM_RATE_SIZE];
	room_keys_make(&keys, event);
	room_rate_format(settings->rate_per_second, rate);
	enum status status = redis_evaluate(streams->redis, &configure_script, 1,
		REDIS_ARGUMENTS(redis_slice(keys.slices[KEY_ROOM]),
			redis_text(room_state_name(settings->state)), redis_text(rate),
			redis_integer(settings->active_max),
			redis_integer(settings->claim_seconds * 1000),
			redis_integer(settings->heartbeat_seconds * 1000),
			redis_integer(settings->session_seconds * 1000),
			redis_integer(settings->starts_at_ms)),
		&reply);
	if (status == STATUS_OK && redis_reply_kind(reply) == REDIS_INTEGER)
		*code = (enum script_code)redis_get_integer(reply);
	redis_reply_free(reply);
	return status;
}

enum status redis_streams_configure(struct waiting_room *room, struct slice event,
	const struct waiting_room_settings *settings, struct waiting_room_view *view)
{
	struct redis_streams *streams = redis_streams_of(room);
	uint8_t seed[WAITING_ROOM_SEED_SIZE];
	enum script_code code = CODE_REFUSED;
	bool found;
	random_bytes(seed, sizeof seed);
	enum status status = STATUS_OK;
	if (streams->record)
		status = room_record_configure(streams->record, event, settings, seed);
	if (status == STATUS_OK)
		status = configure_in_redis(streams, event, settings, &code);
	if (status == STATUS_OK && code == CODE_NO_ROOM)
		status = streams->record ? redis_streams_revive(streams, event, &found)
					 : create_unrecorded(streams, event, settings, seed);
	if (status == STATUS_OK && code == CODE_REFUSED)
		status = STATUS_REFUSED;
	if (status != STATUS_OK)
		return status;
	/* A lobby that is opened by hand goes on to its shuffle at once. */
	struct waiting_room_view now;
	struct admission nobody;
	size_t count;
	int64_t next_ms;
	status = room->ops->admit(room, event, &nobody, 0, &count, &now, &next_ms);
	if (status == STATUS_OK && view)
		*view = now;
	return status;
}

/* ---- What the record holds by now ---- */

enum status redis_streams_advance(struct redis_streams *streams, struct slice event,
	const struct redis_argument arguments[], size_t count)
{
	struct room_keys keys;
	struct redis_argument all[1 + ADVANCE_ARGUMENTS_MAX];
	assert(count <= ADVANCE_ARGUMENTS_MAX);
	room_keys_make(&keys, event);
	all[0] = redis_slice(keys.slices[KEY_ROOM]);
	memcpy(&all[1], arguments, count * sizeof *arguments);
	return as_unavailable(
		redis_evaluate(streams->redis, &advance_script, 1, all, 1 + count, NULL));
}

enum status redis_streams_reserve(struct redis_streams *streams, struct slice event, int64_t epoch,
	int64_t tail, int64_t serving)
{
	if (!streams->record)
		return STATUS_REFUSED;
	tail += tail > 0 ? streams->block : 0;
	/* At a tenth, since this is what a loss makes those behind believe of their turn. */
	serving += serving > 0 ? (streams->block + 9) / 10 : 0;
	enum status status = room_record_reserve(streams->record, event, &tail, &serving);
	if (status != STATUS_OK)
		return as_unavailable(status);
	return redis_streams_advance(streams, event,
		REDIS_ARGUMENTS(redis_integer(epoch), redis_text("reserve"), redis_integer(tail),
			redis_integer(serving)));
}
