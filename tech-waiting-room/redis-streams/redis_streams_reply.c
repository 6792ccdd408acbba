/* Reading what the scripts answer. */
#include "tech-waiting-room/redis-streams/redis_streams_internal.h"
#include "tech-waiting-room/redis-streams/room_state.h"

bool script_reply_read(const struct redis_reply *reply, struct script_reply *head)
{
	if (redis_reply_kind(reply) != REDIS_ARRAY || redis_get_count(reply) < 3)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (redis_reply_kind(redis_get_item(reply, i)) != REDIS_INTEGER)
			return false;
	*head = (struct script_reply){
		.code = (enum script_code)redis_get_integer(redis_get_item(reply, 0)),
		.epoch = redis_get_integer(redis_get_item(reply, 1)),
		.number = redis_get_integer(redis_get_item(reply, 2))};
	return true;
}

bool person_record_read(struct slice text, struct person_record *record)
{
	int64_t numbers[4] = {0};
	*record = (struct person_record){0};
	if (text.size == 0)
		return true;
	struct slice rest = {.data = text.data + 1, .size = text.size - 1}, piece;
	for (size_t i = 0; i < 4 && slice_split(&rest, ',', &piece); i++)
		if (!slice_to_integer(piece, 0, INT64_MAX, &numbers[i]))
			return false;
	if (rest.data || !memchr("rwaxl", text.data[0], 5))
		return false;
	*record = (struct person_record){.kind = text.data[0],
		.place = numbers[0],
		.rank = numbers[1],
		.admitted_at_ms = numbers[2],
		.claimed = numbers[3] == 1};
	if (record->kind == 'r') {
		record->rank = numbers[0];
		record->place = 0;
	}
	return true;
}

enum person_state person_record_state(const struct person_record *record, bool in_line)
{
	switch (record->kind) {
	case 'r':
		return in_line ? PERSON_WAITING : PERSON_LOBBY;
	case 'w':
		return PERSON_WAITING;
	case 'a':
		return PERSON_ADMITTED;
	case 'x':
		return PERSON_EXPIRED;
	case 'l':
		return PERSON_LEFT;
	default:
		return PERSON_UNKNOWN;
	}
}

enum {
	VIEW_FOUND,
	VIEW_STATE,
	VIEW_RATE,
	VIEW_ACTIVE_MAX,
	VIEW_CLAIM_MS,
	VIEW_HEARTBEAT_MS,
	VIEW_SESSION_MS,
	VIEW_STARTS_AT,
	VIEW_EPOCH,
	VIEW_SERVING,
	VIEW_TAIL,
	VIEW_WAITING,
	VIEW_ACTIVE,
	VIEW_ADMITTED,
	VIEW_LOBBY_SIZE,
	VIEW_EXACT,
	VIEW_SHUFFLED,
	VIEW_SEED,
	VIEW_LOBBY_HASH,
	VIEW_COUNT
};

static bool view_item_is_text(size_t item)
{
	return item == VIEW_STATE || item == VIEW_RATE || item == VIEW_SEED ||
		item == VIEW_LOBBY_HASH;
}

static bool view_is_well_formed(const struct redis_reply *reply)
{
	if (redis_get_count(reply) != VIEW_COUNT)
		return false;
	for (size_t i = 0; i < VIEW_COUNT; i++)
		if (redis_reply_kind(redis_get_item(reply, i)) !=
			(view_item_is_text(i) ? REDIS_TEXT : REDIS_INTEGER))
			return false;
	return redis_get_slice(redis_get_item(reply, VIEW_SEED)).size == WAITING_ROOM_SEED_SIZE;
}

bool view_reply_read(const struct redis_reply *reply, struct waiting_room_view *view, bool *found)
{
	*view = (struct waiting_room_view){0};
	*found = false;
	if (redis_reply_kind(reply) != REDIS_ARRAY || redis_get_count(reply) == 0)
		return false;
	if (redis_get_count(reply) == 1)
		return true;
	if (!view_is_well_formed(reply))
		return false;
	int64_t numbers[VIEW_COUNT] = {0};
	for (size_t i = 0; i < VIEW_COUNT; i++)
		if (!view_item_is_text(i))
			numbers[i] = redis_get_integer(redis_get_item(reply, i));
	*view = (struct waiting_room_view){
		.settings = {.rate_per_second = room_rate_read(
				     redis_get_slice(redis_get_item(reply, VIEW_RATE))),
			.active_max = numbers[VIEW_ACTIVE_MAX],
			.claim_seconds = numbers[VIEW_CLAIM_MS] / 1000,
			.heartbeat_seconds = numbers[VIEW_HEARTBEAT_MS] / 1000,
			.session_seconds = numbers[VIEW_SESSION_MS] / 1000,
			.starts_at_ms = numbers[VIEW_STARTS_AT]},
		.epoch = numbers[VIEW_EPOCH],
		.serving = numbers[VIEW_SERVING],
		.tail = numbers[VIEW_TAIL],
		.waiting = numbers[VIEW_WAITING],
		.active = numbers[VIEW_ACTIVE],
		.admitted = numbers[VIEW_ADMITTED],
		.lobby_size = numbers[VIEW_LOBBY_SIZE],
		.exact = numbers[VIEW_EXACT] == 1,
		.shuffled = numbers[VIEW_SHUFFLED] == 1};
	struct slice seed = redis_get_slice(redis_get_item(reply, VIEW_SEED));
	struct slice hash = redis_get_slice(redis_get_item(reply, VIEW_LOBBY_HASH));
	shuffle_commitment((const uint8_t *)seed.data, view->seed_commitment);
	if (view->shuffled && hash.size == WAITING_ROOM_SEED_SIZE) {
		memcpy(view->seed, seed.data, seed.size);
		memcpy(view->lobby_hash, hash.data, hash.size);
	}
	*found = room_state_read(
		redis_get_slice(redis_get_item(reply, VIEW_STATE)), &view->settings.state);
	return *found;
}
