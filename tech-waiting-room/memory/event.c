/* A room: made, changed, lost and shown. See internal.h. */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tech-waiting-room/memory/internal.h"

static_assert((int)WAITING_ROOM_SEED_SIZE == (int)SHUFFLE_HASH_SIZE, "seeds are hashes");
static_assert((int)WAITING_ROOM_RATE_MAX <= (int)TOKEN_BUCKET_RATE_MAX, "every rate has a bucket");

static enum status people_new(struct memory_event *event, uint32_t people_max)
{
	if (memory_people_init(&event->people, people_max) != STATUS_OK ||
		memory_heap_init(&event->returned, people_max) != STATUS_OK ||
		memory_heap_init(&event->ends, people_max) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	event->line = calloc(people_max, sizeof *event->line);
	return event->line ? STATUS_OK : STATUS_UNAVAILABLE;
}

struct memory_event *memory_event_new(const struct memory_store *store, struct slice name,
	const struct waiting_room_settings *settings, int64_t now_ms)
{
	assert(name.size >= 1 && name.size <= WAITING_ROOM_EVENT_SIZE_MAX);
	struct memory_event *event = calloc(1, sizeof *event);
	if (!event || people_new(event, store->people_max) != STATUS_OK) {
		memory_event_free(event);
		return NULL;
	}
	memcpy(event->name, name.data, name.size);
	event->name_size = name.size;
	event->record_block = store->record_block;
	event->record = (struct memory_record){
		.settings = *settings,
		.epoch = 1,
		.shuffled = settings->state != WAITING_ROOM_LOBBY,
	};
	randombytes_buf(event->record.seed, sizeof event->record.seed);
	struct lobby_list nobody;
	lobby_list_init(&nobody, name);
	memcpy(event->record.lobby_hash, nobody.hash, sizeof nobody.hash);
	token_bucket_init(&event->bucket, settings->rate_per_second, now_ms);
	return event;
}

void memory_event_free(struct memory_event *event)
{
	if (!event)
		return;
	memory_people_release(&event->people);
	memory_heap_release(&event->returned);
	memory_heap_release(&event->ends);
	shuffle_free(event->shuffle);
	free(event->lobby);
	free(event->line);
	free(event);
}

enum status memory_event_configure(
	struct memory_event *event, const struct waiting_room_settings *settings, int64_t now_ms)
{
	memory_active_settle(event, now_ms);
	struct memory_record *record = &event->record;
	if (settings->state == WAITING_ROOM_LOBBY && record->shuffled)
		return STATUS_REFUSED;
	if (settings->state != WAITING_ROOM_LOBBY && !record->shuffled &&
		memory_lobby_open(event) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	if (settings->rate_per_second != record->settings.rate_per_second)
		token_bucket_set_rate(&event->bucket, settings->rate_per_second, now_ms);
	bool reorder = settings->heartbeat_seconds != record->settings.heartbeat_seconds;
	record->settings = *settings;
	if (reorder)
		memory_active_reorder(event);
	memory_active_settle(event, now_ms);
	return STATUS_OK;
}

/* Everything that is not in the record is gone. The memory goes back to the system, which hands it
 * out cleared again. */
void memory_event_lose(struct memory_event *event, int64_t now_ms)
{
	struct memory_record *record = &event->record;
	uint32_t people_max = event->people.count_max;
	memory_people_release(&event->people);
	event->returned.count = 0;
	event->ends.count = 0;
	event->line_head = 0;
	event->line_end = 0;
	if (memory_people_init(&event->people, people_max) != STATUS_OK)
		abort(); /* The same memory was just given back. */
	if (event->lobby)
		memset(event->lobby, 0, (size_t)record->lobby_cut_off * sizeof *event->lobby);
	record->epoch++;
	event->serving = record->serving_ceiling;
	event->tail = record->tail_ceiling;
	event->lobby_size = record->shuffled ? record->lobby_cut_off : record->lobby_ceiling;
	event->waiting = 0;
	event->active = 0;
	event->admitted = 0;
	event->quiet_until_ms = now_ms + record->settings.heartbeat_seconds * 1000;
	token_bucket_init(&event->bucket, record->settings.rate_per_second, now_ms);
}

void memory_event_view(
	const struct memory_event *event, int64_t now_ms, struct waiting_room_view *view)
{
	const struct memory_record *record = &event->record;
	*view = (struct waiting_room_view){
		.settings = record->settings,
		.epoch = record->epoch,
		.serving = event->serving,
		.tail = event->tail,
		.waiting = event->waiting,
		.active = event->active,
		.admitted = event->admitted,
		.lobby_size = event->lobby_size,
		.exact = now_ms >= event->quiet_until_ms,
		.shuffled = record->shuffled,
	};
	shuffle_commitment(record->seed, view->seed_commitment);
	if (!record->shuffled)
		return;
	memcpy(view->seed, record->seed, sizeof view->seed);
	memcpy(view->lobby_hash, record->lobby_hash, sizeof view->lobby_hash);
}
