/* The lobby's end: ranks become places. See internal.h and lib/ticketing/shuffle.h. */
#include <stdlib.h>
#include <string.h>

#include "tech-waiting-room/memory/internal.h"

/* The people by rank; ranks that an earlier epoch gave and nobody came back with stay 0. */
static uint32_t *people_by_rank(const struct memory_event *event)
{
	uint32_t *lobby = calloc((size_t)event->lobby_size, sizeof *lobby);
	for (uint32_t number = 1; lobby && number <= event->people.count; number++) {
		int64_t rank = memory_people_get(&event->people, number)->rank;
		if (rank > 0)
			lobby[rank - 1] = number;
	}
	return lobby;
}

static void hash_list(
	const struct memory_event *event, const uint32_t lobby[], struct lobby_list *list)
{
	lobby_list_init(list, memory_event_name(event));
	for (int64_t i = 0; i < event->lobby_size; i++) {
		struct slice id = {"", 0};
		if (lobby[i])
			id = memory_people_id(
				&event->people, memory_people_get(&event->people, lobby[i]));
		lobby_list_add(list, memory_event_name(event), id);
	}
}

/* Who left the lobby keeps a place too, which is passed over when its turn comes. */
static void give_places(struct memory_event *event)
{
	for (int64_t place = 1; place <= event->lobby_size; place++) {
		uint32_t number = event->lobby[shuffle_rank(event->shuffle, place) - 1];
		if (!number)
			continue;
		struct memory_person *person = memory_people_get(&event->people, number);
		person->place = place;
		person->queue = MEMORY_QUEUE_LINE;
		if (person->state == PERSON_LOBBY)
			person->state = PERSON_WAITING;
		event->line[event->line_end++] = number;
	}
}

enum status memory_lobby_open(struct memory_event *event)
{
	struct memory_record *record = &event->record;
	if (event->lobby_size > 0) {
		uint32_t *lobby = people_by_rank(event);
		if (!lobby)
			return STATUS_UNAVAILABLE;
		struct lobby_list list;
		uint8_t final_seed[SHUFFLE_HASH_SIZE];
		hash_list(event, lobby, &list);
		shuffle_final_seed(record->seed, list.hash, (struct slice){"", 0}, final_seed);
		event->shuffle = shuffle_new(final_seed, event->lobby_size);
		if (!event->shuffle) {
			free(lobby);
			return STATUS_UNAVAILABLE;
		}
		event->lobby = lobby;
		memcpy(record->lobby_hash, list.hash, sizeof list.hash);
		give_places(event);
	}
	record->shuffled = true;
	record->lobby_cut_off = event->lobby_size;
	record->tail_ceiling = event->lobby_size;
	event->tail = event->lobby_size;
	return STATUS_OK;
}
