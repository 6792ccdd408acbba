/* The rooms of a process. See internal.h. */
#include <assert.h>
#include <stdlib.h>

#include "tech-waiting-room/memory/internal.h"
#include "tech-waiting-room/memory/store.h"

enum { EVENTS_DEFAULT = 1000, PEOPLE_DEFAULT = 1000000 };

enum status memory_store_new(
	const struct memory_store_options *options, struct memory_store **store)
{
	assert(options->events_max >= 0 && options->events_max <= MEMORY_STORE_EVENTS_MAX);
	assert(options->people_max >= 0 && options->people_max <= MEMORY_STORE_PEOPLE_MAX);
	assert(options->record_block >= 0);
	struct memory_store *new = calloc(1, sizeof *new);
	if (!new)
		return STATUS_UNAVAILABLE;
	new->event_count_max = (size_t)(options->events_max ? options->events_max : EVENTS_DEFAULT);
	new->people_max = (uint32_t)(options->people_max ? options->people_max : PEOPLE_DEFAULT);
	new->record_block = options->record_block;
	new->clock = options->clock;
	new->wall_start_ms = clock_wall_ms(options->clock);
	new->monotonic_start_ms = clock_monotonic_ms(options->clock);
	new->events = calloc(new->event_count_max, sizeof(struct memory_event *));
	if (!new->events || pthread_mutex_init(&new->mutex, NULL) != 0) {
		free(new->events);
		free(new);
		return STATUS_UNAVAILABLE;
	}
	*store = new;
	return STATUS_OK;
}

static void forget_all(struct memory_store *store)
{
	for (size_t i = 0; i < store->event_count; i++)
		memory_event_free(store->events[i]);
	store->event_count = 0;
}

void memory_store_free(struct memory_store *store)
{
	if (!store)
		return;
	forget_all(store);
	pthread_mutex_destroy(&store->mutex);
	free(store->events);
	free(store);
}

void memory_store_lose(struct memory_store *store)
{
	int64_t now_ms = memory_store_lock(store);
	if (store->record_block == 0)
		forget_all(store);
	for (size_t i = 0; i < store->event_count; i++)
		memory_event_lose(store->events[i], now_ms);
	memory_store_unlock(store);
}

int64_t memory_store_lock(struct memory_store *store)
{
	pthread_mutex_lock(&store->mutex);
	return store->wall_start_ms + clock_monotonic_ms(store->clock) - store->monotonic_start_ms;
}

void memory_store_unlock(struct memory_store *store)
{
	pthread_mutex_unlock(&store->mutex);
}

static int compare(struct slice a, struct slice b)
{
	int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Where the event is, or where it would have to be inserted. */
static size_t position(const struct memory_store *store, struct slice name, bool *found)
{
	size_t low = 0;
	size_t high = store->event_count;
	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = compare(memory_event_name(store->events[middle]), name);
		*found = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

struct memory_event *memory_store_find(const struct memory_store *store, struct slice name)
{
	bool found;
	size_t at = position(store, name, &found);
	return found ? store->events[at] : NULL;
}

struct memory_event *memory_store_add(struct memory_store *store, struct slice name,
	const struct waiting_room_settings *settings, int64_t now_ms)
{
	if (store->event_count == store->event_count_max)
		return NULL;
	struct memory_event *event = memory_event_new(store, name, settings, now_ms);
	if (!event)
		return NULL;
	bool found;
	size_t at = position(store, name, &found);
	assert(!found);
	memmove(&store->events[at + 1], &store->events[at],
		(store->event_count - at) * sizeof(struct memory_event *));
	store->events[at] = event;
	store->event_count++;
	return event;
}
