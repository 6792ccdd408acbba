/* Who joins, and who is next. See internal.h. */
#include <assert.h>

#include "tech-waiting-room/memory/internal.h"

bool memory_line_has_room(const struct memory_event *event, const struct join_request requests[],
	const uint32_t hashes[], size_t count)
{
	if (!event->record.shuffled && event->lobby_size > SHUFFLE_LOBBY_SIZE_MAX - (int64_t)count)
		return false;
	size_t free_count = event->people.count_max - event->people.count;
	if (count <= free_count)
		return true;
	size_t unknown = 0; /* One too many where a batch names somebody twice. */
	for (size_t i = 0; i < count; i++)
		unknown += !memory_people_find(&event->people, hashes[i], requests[i].person);
	return unknown <= free_count;
}

/* Numbers are reserved before they are used, as where each reservation is a commit. */
static void reserve(int64_t *ceiling, int64_t number, int64_t block)
{
	if (number > *ceiling)
		*ceiling = number + (block > 0 ? block - 1 : 0);
}

static void queue_at_the_back(struct memory_event *event, struct memory_person *person)
{
	if (!event->record.shuffled) {
		person->state = PERSON_LOBBY;
		person->rank = ++event->lobby_size;
		reserve(&event->record.lobby_ceiling, person->rank, event->record_block);
		if (event->record.lobby_ceiling > SHUFFLE_LOBBY_SIZE_MAX)
			event->record.lobby_ceiling = SHUFFLE_LOBBY_SIZE_MAX;
		return;
	}
	person->state = PERSON_WAITING;
	person->place = ++event->tail;
	person->queue = MEMORY_QUEUE_LINE;
	reserve(&event->record.tail_ceiling, person->place, event->record_block);
	event->line[event->line_end++] = memory_people_number(&event->people, person);
}

/* ---- people of an earlier epoch ---- */

/* What the token of an earlier epoch is worth in this one: a rank while in the lobby, else a place;
 * 0: nothing. Numbers that were never given cannot have been signed, and are worth nothing. */
static int64_t token_number(const struct memory_event *event, const struct join_request *request)
{
	if (request->token_epoch < 1 || request->token_epoch >= event->record.epoch)
		return 0;
	int64_t rank = request->token_rank;
	bool rank_given = rank >= 1 && rank <= event->lobby_size;
	if (!event->record.shuffled)
		return rank_given ? rank : 0;
	if (request->token_place >= 1 && request->token_place <= event->tail)
		return request->token_place;
	return rank_given && event->shuffle ? shuffle_place(event->shuffle, rank) : 0;
}

static bool still_returned(void *context, struct memory_heap_entry *entry)
{
	const struct memory_event *event = context;
	const struct memory_person *person = memory_people_get(&event->people, entry->person);
	return person->state == PERSON_WAITING && person->queue == MEMORY_QUEUE_RETURNED &&
		person->place == entry->key;
}

static void queue_by_place(
	struct memory_event *event, struct memory_person *person, int64_t place, int64_t rank)
{
	uint32_t number = memory_people_number(&event->people, person);
	person->state = PERSON_WAITING;
	person->place = place;
	person->queue = MEMORY_QUEUE_RETURNED;
	if (rank >= 1 && rank <= event->record.lobby_cut_off) {
		person->rank = rank;
		event->lobby[rank - 1] = number;
	}
	/* Each person has one entry that counts, so without the others there is room. */
	if (event->returned.count == event->returned.count_max)
		memory_heap_sift(&event->returned, still_returned, event);
	memory_heap_push(
		&event->returned, (struct memory_heap_entry){.key = place, .person = number});
}

/* The number that somebody who waits has now. */
static int64_t number_of(const struct memory_event *event, const struct memory_person *person)
{
	return event->record.shuffled ? person->place : person->rank;
}

static void restore(struct memory_event *event, struct memory_person *person,
	const struct join_request *request, int64_t number)
{
	if (event->record.shuffled) {
		queue_by_place(event, person, number, request->token_rank);
		return;
	}
	person->state = PERSON_LOBBY;
	person->rank = number;
}

/* ---- joining ---- */

static bool takes_nobody(const struct memory_event *event)
{
	enum waiting_room_state state = event->record.settings.state;
	return state == WAITING_ROOM_CLOSED || state == WAITING_ROOM_DRAINING;
}

static bool waits(const struct memory_person *person)
{
	return person->state == PERSON_WAITING || person->state == PERSON_LOBBY;
}

static enum join_outcome join_known(struct memory_event *event, struct memory_person *person,
	const struct join_request *request)
{
	int64_t number = token_number(event, request);
	if (number == 0 || !waits(person) || number >= number_of(event, person))
		return JOIN_AGAIN;
	restore(event, person, request, number);
	return JOIN_RESTORED;
}

/* Who shows a place is not somebody new, so a room that takes nobody else takes them. */
static enum join_outcome join_unknown(struct memory_event *event,
	const struct join_request *request, uint32_t hash, struct memory_person **person)
{
	int64_t number = token_number(event, request);
	if (number == 0 && takes_nobody(event))
		return JOIN_CLOSED;
	*person = memory_people_add(&event->people, hash, request->person);
	event->waiting++;
	if (number == 0) {
		queue_at_the_back(event, *person);
		return JOIN_NEW;
	}
	restore(event, *person, request, number);
	return JOIN_RESTORED;
}

void memory_line_join(struct memory_event *event, const struct join_request *request, uint32_t hash,
	struct join_result *result)
{
	struct memory_person *person = memory_people_find(&event->people, hash, request->person);
	enum join_outcome outcome = person ? join_known(event, person, request)
					   : join_unknown(event, request, hash, &person);
	*result = (struct join_result){.outcome = outcome, .epoch = event->record.epoch};
	if (!person)
		return;
	result->state = (enum person_state)person->state;
	result->place = person->place;
	result->rank = person->rank;
}

/* ---- calling ---- */

/* The head of the line; those who are in it no longer are dropped. */
static struct memory_person *line_head(struct memory_event *event)
{
	for (; event->line_head < event->line_end; event->line_head++) {
		struct memory_person *person =
			memory_people_get(&event->people, event->line[event->line_head]);
		if (person->state == PERSON_WAITING && person->queue == MEMORY_QUEUE_LINE)
			return person;
	}
	return NULL;
}

static struct memory_person *returned_head(struct memory_event *event)
{
	while (event->returned.count > 0) {
		struct memory_heap_entry first = event->returned.entries[0];
		if (still_returned(event, &first))
			return memory_people_get(&event->people, first.person);
		memory_heap_pop(&event->returned);
	}
	return NULL;
}

struct memory_person *memory_line_next(struct memory_event *event)
{
	struct memory_person *in_line = line_head(event);
	struct memory_person *returned = returned_head(event);
	struct memory_person *next = in_line;
	if (returned && (!in_line || returned->place < in_line->place))
		next = returned;
	if (!next)
		return NULL;
	memory_line_remove(event, next);
	if (next->place > event->serving) {
		event->serving = next->place;
		reserve(&event->record.serving_ceiling, event->serving, event->record_block);
		if (event->record.serving_ceiling > event->record.tail_ceiling)
			event->record.serving_ceiling = event->record.tail_ceiling;
	}
	assert(event->serving <= event->tail);
	return next;
}

void memory_line_remove(struct memory_event *event, struct memory_person *person)
{
	person->queue = MEMORY_QUEUE_NONE;
	event->waiting--;
}
