/* See two_calls.h. */
#include "tech-waiting-room/redis-streams/two_calls.h"

#include <assert.h>
#include <stdio.h>

enum { TAKE_MAX = 1000 };

static const struct redis_command group_create = {"XGROUP CREATE", REDIS_WRITES};
static const struct redis_command add = {"XADD", REDIS_WRITES};
static const struct redis_command read_group = {"XREADGROUP", REDIS_WRITES};
static const struct redis_command claim = {"XAUTOCLAIM", REDIS_WRITES};
static const struct redis_command acknowledge = {"XACK", REDIS_WRITES};
static const struct redis_command activate = {"ZADD", REDIS_WRITES};
static const struct redis_command size_of_set = {"ZCARD", REDIS_READS};
static const struct redis_command pending_of = {"XPENDING", REDIS_READS};
static const char group[] = "lesson";

struct lesson_keys {
	char queue_text[REDIS_KEY_SIZE_MAX], active_text[REDIS_KEY_SIZE_MAX];
	struct slice queue, active;
};

static void keys_make(struct lesson_keys *keys, struct slice event)
{
	keys->queue = redis_key(keys->queue_text, "lesson", event, "queue");
	keys->active = redis_key(keys->active_text, "lesson", event, "active");
}

enum status two_calls_join(struct redis *redis, struct slice event, struct slice person)
{
	struct lesson_keys keys;
	keys_make(&keys, event);
	enum status status = redis_execute(redis, &group_create,
		REDIS_ARGUMENTS(redis_slice(keys.queue), redis_text(group), redis_text("0"),
			redis_text("MKSTREAM")),
		NULL);
	if (status != STATUS_OK && !redis_failed_with(redis, "BUSYGROUP"))
		return status;
	return redis_execute(redis, &add,
		REDIS_ARGUMENTS(redis_slice(keys.queue), redis_text("*"), redis_text("p"),
			redis_slice(person)),
		NULL);
}

enum status two_calls_free(
	struct redis *redis, struct slice event, int64_t active_max, int64_t *free_slots)
{
	int64_t active, pending;
	enum status status = two_calls_count(redis, event, &active, &pending);
	*free_slots = status == STATUS_OK && active < active_max ? active_max - active : 0;
	return status;
}

/* Entries as XREADGROUP and XAUTOCLAIM give them: [id, [field, value]]. */
static void read_entries(
	const struct redis_reply *entries, struct taken taken[], size_t max, size_t *count)
{
	for (size_t i = 0; i < redis_get_count(entries) && *count < max; i++) {
		const struct redis_reply *entry = redis_get_item(entries, i);
		if (redis_reply_kind(entry) != REDIS_ARRAY)
			continue; /* Deleted while it was pending. */
		const struct redis_reply *fields = redis_get_item(entry, 1);
		if (redis_reply_kind(fields) != REDIS_ARRAY || redis_get_count(fields) != 2)
			continue;
		struct slice id = redis_get_slice(redis_get_item(entry, 0));
		struct slice person = redis_get_slice(redis_get_item(fields, 1));
		struct taken *one = &taken[(*count)++];
		snprintf(one->id, sizeof one->id, "%.*s", SLICE_PRINT(id));
		snprintf(one->person, sizeof one->person, "%.*s", SLICE_PRINT(person));
	}
}

enum status two_calls_take(struct redis *redis, struct slice event, const char *consumer,
	size_t max, struct taken taken[], size_t *count)
{
	struct lesson_keys keys;
	struct redis_reply *reply;
	keys_make(&keys, event);
	*count = 0;
	if (max == 0)
		return STATUS_OK;
	enum status status = redis_execute(redis, &read_group,
		REDIS_ARGUMENTS(redis_text("GROUP"), redis_text(group), redis_text(consumer),
			redis_text("COUNT"), redis_integer((int64_t)max), redis_text("STREAMS"),
			redis_slice(keys.queue), redis_text(">")),
		&reply);
	/* [[stream, entries]], or nil when there is nothing new. */
	if (status == STATUS_OK && redis_get_count(reply) == 1)
		read_entries(redis_get_item(redis_get_item(reply, 0), 1), taken, max, count);
	redis_reply_free(reply);
	return status;
}

enum status two_calls_reclaim(struct redis *redis, struct slice event, const char *consumer,
	int64_t idle_ms, size_t max, struct taken taken[], size_t *count)
{
	struct lesson_keys keys;
	struct redis_reply *reply;
	keys_make(&keys, event);
	*count = 0;
	enum status status = redis_execute(redis, &claim,
		REDIS_ARGUMENTS(redis_slice(keys.queue), redis_text(group), redis_text(consumer),
			redis_integer(idle_ms), redis_text("0"), redis_text("COUNT"),
			redis_integer((int64_t)max)),
		&reply);
	/* [where to go on, entries, deleted ids] */
	if (status == STATUS_OK && redis_get_count(reply) >= 2)
		read_entries(redis_get_item(reply, 1), taken, max, count);
	redis_reply_free(reply);
	return status;
}

/* ZADD NX, so that whoever is active already does not begin anew, and then XACK: a server that dies
 * between them leaves an entry that is claimed and confirmed once more, which changes nothing. */
enum status two_calls_confirm(
	struct redis *redis, struct slice event, const struct taken taken[], size_t count)
{
	struct lesson_keys keys;
	struct redis_argument active[2 + 2 * TAKE_MAX], done[2 + TAKE_MAX];
	struct redis_reply *replies[2] = {NULL, NULL};
	assert(count <= TAKE_MAX);
	if (count == 0)
		return STATUS_OK;
	keys_make(&keys, event);
	active[0] = redis_slice(keys.active);
	active[1] = redis_text("NX");
	done[0] = redis_slice(keys.queue);
	done[1] = redis_text(group);
	for (size_t i = 0; i < count; i++) {
		active[2 + 2 * i] = redis_integer(0);
		active[3 + 2 * i] = redis_text(taken[i].person);
		done[2 + i] = redis_text(taken[i].id);
	}
	const struct redis_request requests[] = {
		{.command = &activate, .arguments = active, .argument_count = 2 + 2 * count},
		{.command = &acknowledge, .arguments = done, .argument_count = 2 + count}};
	enum status status = redis_pipeline(redis, requests, 2, replies);
	for (size_t i = 0; status == STATUS_OK && i < 2; i++)
		status = redis_reply_status(replies[i]);
	redis_reply_free(replies[0]);
	redis_reply_free(replies[1]);
	return status;
}

enum status two_calls_count(
	struct redis *redis, struct slice event, int64_t *active, int64_t *pending)
{
	struct lesson_keys keys;
	struct redis_reply *replies[2] = {NULL, NULL};
	keys_make(&keys, event);
	const struct redis_argument of_set[] = {redis_slice(keys.active)};
	const struct redis_argument of_group[] = {redis_slice(keys.queue), redis_text(group)};
	const struct redis_request requests[] = {
		{.command = &size_of_set, .arguments = of_set, .argument_count = 1},
		{.command = &pending_of, .arguments = of_group, .argument_count = 2}};
	enum status status = redis_pipeline(redis, requests, 2, replies);
	for (size_t i = 0; status == STATUS_OK && i < 2; i++)
		status = redis_reply_status(replies[i]);
	if (status == STATUS_OK) {
		*active = redis_get_integer(replies[0]);
		*pending = redis_get_integer(redis_get_item(replies[1], 0));
	}
	redis_reply_free(replies[0]);
	redis_reply_free(replies[1]);
	return status;
}
