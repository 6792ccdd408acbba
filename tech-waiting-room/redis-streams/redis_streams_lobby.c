/* The lobby's end: cut off, hashed, shuffled; and its list for whoever doubts. */
#include <assert.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "tech-waiting-room/redis-streams/redis_streams_internal.h"

static const struct redis_command range = {"XRANGE", REDIS_READS};
static const struct redis_command get_fields = {"HMGET", REDIS_READS};

enum status redis_streams_cut(
	struct redis_streams *streams, struct slice event, int64_t epoch, int64_t cut)
{
	enum status status = STATUS_OK;
	if (streams->record)
		status = room_record_cut(streams->record, event, &cut);
	if (status == STATUS_UNKNOWN)
		status = STATUS_UNAVAILABLE;
	return status == STATUS_OK ? redis_streams_advance(streams, event,
					     REDIS_ARGUMENTS(redis_integer(epoch),
						     redis_text("fix"), redis_integer(cut)))
				   : status;
}

static_assert((int)SHUFFLE_HASH_SIZE == (int)WAITING_ROOM_SEED_SIZE, "a hash is as long as a seed");

/* ---- The list ---- */

typedef char person_text[WAITING_ROOM_PERSON_SIZE_MAX + 1];

static void person_set(person_text person, const struct redis_reply *from)
{
	struct slice text = redis_get_slice(from);
	if (text.size <= WAITING_ROOM_PERSON_SIZE_MAX)
		snprintf(person, sizeof(person_text), "%.*s", SLICE_PRINT(text));
}

/* The entry of a rank, unless somebody else wrote it. */
static void read_entry(
	const struct redis_reply *entry, int64_t from, person_text people[], size_t max)
{
	struct slice id = redis_get_slice(redis_get_item(entry, 0)), rank_text;
	const struct redis_reply *fields = redis_get_item(entry, 1);
	int64_t rank;
	if (!slice_split(&id, '-', &rank_text) || !slice_is(id, "1") ||
		!slice_to_integer(rank_text, from, from + (int64_t)max - 1, &rank) ||
		redis_get_count(fields) != 2 ||
		!slice_is(redis_get_slice(redis_get_item(fields, 0)), "p"))
		return;
	person_set(people[rank - from], redis_get_item(fields, 1));
}

/* The people of ranks `from` to from + count - 1, at most LOBBY_PAGE. */
static enum status read_ranks(struct redis_streams *streams, struct slice event, int64_t from,
	person_text people[], size_t count)
{
	struct room_keys keys;
	char first[32], last[32];
	struct redis_argument fields[1 + LOBBY_PAGE];
	struct redis_reply *replies[2] = {NULL, NULL};
	room_keys_make(&keys, event);
	memset(people, 0, count * sizeof people[0]);
	snprintf(first, sizeof first, "%lld-1", (long long)from);
	snprintf(last, sizeof last, "%lld-1", (long long)from + (long long)count - 1);
	fields[0] = redis_slice(keys.slices[KEY_RANKS]);
	for (size_t i = 0; i < count; i++)
		fields[1 + i] = redis_integer(from + (int64_t)i);
	const struct redis_argument bounds[] = {
		redis_slice(keys.slices[KEY_LOBBY]), redis_text(first), redis_text(last)};
	const struct redis_request requests[] = {
		{.command = &range, .arguments = bounds, .argument_count = 3},
		{.command = &get_fields, .arguments = fields, .argument_count = 1 + count}};
	enum status status = redis_pipeline(streams->redis, requests, 2, replies);
	for (size_t i = 0; status == STATUS_OK && i < 2; i++)
		status = redis_reply_status(replies[i]);
	for (size_t i = 0; status == STATUS_OK && i < redis_get_count(replies[0]); i++)
		read_entry(redis_get_item(replies[0], i), from, people, count);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		if (redis_reply_kind(redis_get_item(replies[1], i)) == REDIS_TEXT)
			person_set(people[i], redis_get_item(replies[1], i));
	redis_reply_free(replies[0]);
	redis_reply_free(replies[1]);
	return status;
}

enum status redis_streams_lobby(struct waiting_room *room, struct slice event, int64_t from,
	char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count)
{
	struct redis_streams *streams = redis_streams_of(room);
	struct waiting_room_view view;
	bool found;
	*count = 0;
	enum status status = redis_streams_peek(streams, event, &view, &found);
	if (status != STATUS_OK || !found || !view.shuffled || from < 1)
		return status;
	while (*count < max && from <= view.lobby_size && status == STATUS_OK) {
		size_t part = max - *count < LOBBY_PAGE ? max - *count : LOBBY_PAGE;
		if ((int64_t)part > view.lobby_size - from + 1)
			part = (size_t)(view.lobby_size - from + 1);
		status = read_ranks(streams, event, from, people + *count, part);
		*count += status == STATUS_OK ? part : 0;
		from += (int64_t)part;
	}
	return status;
}

/* ---- The shuffle ---- */

static enum status open_line(struct redis_streams *streams, struct slice event, int64_t epoch)
{
	uint8_t hash[WAITING_ROOM_SEED_SIZE];
	memcpy(hash, streams->opening.list.hash, sizeof hash);
	enum status status = STATUS_OK;
	if (streams->record)
		status = room_record_shuffle(streams->record, event, hash);
	if (status != STATUS_OK)
		return status == STATUS_UNKNOWN ? STATUS_UNAVAILABLE : status;
	streams->opening.event[0] = '\0';
	log_info("waiting_room.shuffled", LOG_SLICE("event", event),
		LOG_INTEGER("people", streams->opening.list.size));
	struct slice bytes = {.data = (const char *)hash, .size = sizeof hash};
	return redis_streams_advance(streams, event,
		REDIS_ARGUMENTS(redis_integer(epoch), redis_text("open"), redis_slice(bytes)));
}

enum status redis_streams_shuffle_step(
	struct redis_streams *streams, struct slice event, int64_t epoch, int64_t cut, bool *done)
{
	struct opening *opening = &streams->opening;
	person_text people[LOBBY_PAGE];
	*done = false;
	if (!slice_is(event, opening->event) || opening->epoch != epoch) {
		snprintf(opening->event, sizeof opening->event, "%.*s", SLICE_PRINT(event));
		opening->epoch = epoch;
		lobby_list_init(&opening->list, event);
	}
	for (size_t page = 0; page < LOBBY_PAGES_PER_CALL && opening->list.size < cut; page++) {
		int64_t left = cut - opening->list.size;
		size_t count = left < LOBBY_PAGE ? (size_t)left : LOBBY_PAGE;
		enum status status =
			read_ranks(streams, event, opening->list.size + 1, people, count);
		if (status != STATUS_OK)
			return status;
		for (size_t i = 0; i < count; i++)
			lobby_list_add(&opening->list, event, slice_of(people[i]));
	}
	if (opening->list.size < cut)
		return STATUS_OK;
	*done = true;
	return open_line(streams, event, epoch);
}

/* ---- The order ---- */

static struct known_shuffle *slot_for(struct redis_streams *streams, struct slice event)
{
	struct known_shuffle *oldest = &streams->shuffles[0];
	for (size_t i = 0; i < SHUFFLES_MAX; i++) {
		struct known_shuffle *known = &streams->shuffles[i];
		if (slice_is(event, known->event))
			return known;
		if (known->used < oldest->used)
			oldest = known;
	}
	return oldest;
}

/* The order of a lobby never changes once it is there, so seeds tell whether ours is the one. */
static enum status order_load(
	struct known_shuffle *known, struct slice event, const struct waiting_room_view *view)
{
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	shuffle_final_seed(
		view->seed, view->lobby_hash, (struct slice){.data = "", .size = 0}, final_seed);
	if (known->shuffle && slice_is(event, known->event) &&
		memcmp(known->final_seed, final_seed, sizeof final_seed) == 0)
		return STATUS_OK;
	shuffle_free(known->shuffle);
	*known = (struct known_shuffle){.shuffle = shuffle_new(final_seed, view->lobby_size)};
	if (!known->shuffle)
		return STATUS_UNAVAILABLE;
	memcpy(known->final_seed, final_seed, sizeof final_seed);
	snprintf(known->event, sizeof known->event, "%.*s", SLICE_PRINT(event));
	return STATUS_OK;
}

enum status redis_streams_order(
	struct redis_streams *streams, struct slice event, struct known_shuffle **order)
{
	struct waiting_room_view view;
	bool found;
	*order = NULL;
	enum status status = redis_streams_peek(streams, event, &view, &found);
	if (status != STATUS_OK || !found || !view.shuffled)
		return status;
	struct known_shuffle *known = slot_for(streams, event);
	status = order_load(known, event, &view);
	if (status != STATUS_OK)
		return status;
	known->serving = view.serving;
	known->used = ++streams->shuffle_uses;
	*order = known;
	return STATUS_OK;
}
