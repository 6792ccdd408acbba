/* How the instances reach the rooms. Private to memory/. */
#pragma once

#include "tech-waiting-room/memory/internal.h"

/* Take the mutex, and the time by the rooms' clock. */
int64_t memory_store_lock(struct memory_store *store);
void memory_store_unlock(struct memory_store *store);

/* The event's room; NULL: it has none. */
struct memory_event *memory_store_find(const struct memory_store *store, struct slice name);

/* Make a room for an event that has none. NULL when there are too many or no memory. */
struct memory_event *memory_store_add(struct memory_store *store, struct slice name,
	const struct waiting_room_settings *settings, int64_t now_ms);
