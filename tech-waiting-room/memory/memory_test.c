/* What the suite does not ask of the memory adapter: its bounds, its clock, its record, and a crowd
 * as large as an on-sale's. */
#include "tech-waiting-room/memory/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "tech-waiting-room/memory/heap.h"
#include "tech-waiting-room/memory/memory_fixture.h"
#include "tech-waiting-room/memory/people.h"

static const struct slice event = {"event", 5};

static const struct waiting_room_settings open_to_all = {
	.state = WAITING_ROOM_OPEN,
	.rate_per_second = WAITING_ROOM_RATE_MAX,
	.active_max = WAITING_ROOM_ACTIVE_MAX,
	.claim_seconds = 60,
	.heartbeat_seconds = 60,
	.session_seconds = 600,
};

/* A store with one instance and one room. */
struct room {
	struct memory_fixture fixture;
	struct waiting_room *instance;
};

static void open_room(struct room *room, int64_t people_max, int64_t record_block,
	const struct waiting_room_settings *settings)
{
	memory_fixture_init(&room->fixture, people_max, record_block);
	struct memory_room_options options = {.store = room->fixture.store};
	assert_int_equal(STATUS_OK, memory_room_open(&options, &room->instance));
	assert_int_equal(STATUS_OK, waiting_room_configure(room->instance, event, settings, NULL));
}

static void close_room(struct room *room)
{
	waiting_room_close(room->instance);
	memory_fixture_release(&room->fixture);
}

/* People `first` to `first` + `count` - 1 join in one call. */
static enum status join(
	struct waiting_room *room, int64_t first, size_t count, struct join_result results[])
{
	char names[WAITING_ROOM_BATCH_MAX][24];
	struct join_request requests[WAITING_ROOM_BATCH_MAX];
	for (size_t i = 0; i < count; i++) {
		int size =
			snprintf(names[i], sizeof names[i], "person-%" PRId64, first + (int64_t)i);
		requests[i] = (struct join_request){.person = {names[i], (size_t)size}};
	}
	return waiting_room_join(room, event, requests, results, count);
}

static struct waiting_room_view view_of(struct waiting_room *room)
{
	struct waiting_room_view view;
	bool found = false;
	assert_int_equal(STATUS_OK, waiting_room_view(room, event, &view, &found));
	assert_true(found);
	return view;
}

static void a_full_room_takes_nobody_new(void **state)
{
	(void)state;
	struct room room;
	struct join_result results[20];
	open_room(&room, 10, 0, &open_to_all);
	assert_int_equal(STATUS_OK, join(room.instance, 1, 8, results));
	assert_int_equal(STATUS_UNAVAILABLE, join(room.instance, 9, 3, results));
	assert_int_equal(8, view_of(room.instance).tail);
	assert_int_equal(STATUS_OK, join(room.instance, 1, 10, results));
	assert_int_equal(JOIN_AGAIN, results[7].outcome);
	assert_int_equal(JOIN_NEW, results[9].outcome);
	assert_int_equal(STATUS_UNAVAILABLE, join(room.instance, 11, 1, results));
	assert_int_equal(STATUS_OK, join(room.instance, 1, 10, results));
	assert_int_equal(JOIN_AGAIN, results[9].outcome);
	close_room(&room);
}

static void there_are_at_most_so_many_events(void **state)
{
	(void)state;
	struct clock_fake clock;
	struct memory_store *store;
	struct waiting_room *room;
	clock_fake_init(&clock, 0);
	struct memory_store_options options = {
		.clock = &clock.base, .events_max = 3, .people_max = 5};
	assert_int_equal(STATUS_OK, memory_store_new(&options, &store));
	assert_int_equal(
		STATUS_OK, memory_room_open(&(struct memory_room_options){.store = store}, &room));
	static const char *const names[] = {"c", "a", "b"};
	for (int i = 0; i < 3; i++)
		assert_int_equal(STATUS_OK,
			waiting_room_configure(room, slice_of(names[i]), &open_to_all, NULL));
	assert_int_equal(STATUS_UNAVAILABLE,
		waiting_room_configure(room, slice_of("d"), &open_to_all, NULL));
	assert_int_equal(
		STATUS_OK, waiting_room_configure(room, slice_of("b"), &open_to_all, NULL));
	char events[4][WAITING_ROOM_EVENT_SIZE_MAX + 1];
	size_t count;
	assert_int_equal(STATUS_OK, waiting_room_list(room, events, 4, &count));
	assert_int_equal(3, count);
	assert_string_equal("a", events[0]);
	assert_string_equal("b", events[1]);
	assert_string_equal("c", events[2]);
	waiting_room_close(room);
	memory_store_free(store);
}

/* The wall time jumps by a day in both directions: nobody is over for it, and nobody is called. */
static void a_jump_of_the_wall_time_changes_nothing(void **state)
{
	(void)state;
	struct room room;
	struct join_result results[5];
	struct admission admissions[5];
	struct waiting_room_settings settings = open_to_all;
	settings.active_max = 2;
	open_room(&room, 10, 0, &settings);
	assert_int_equal(STATUS_OK, join(room.instance, 1, 5, results));
	static const int64_t jumps[] = {86400000, 0, -86400000};
	int64_t start_ms = room.fixture.clock.now_wall_ms;
	size_t total = 0;
	for (int i = 0; i < 3; i++) {
		struct waiting_room_view view;
		int64_t next_ms;
		size_t count;
		clock_fake_jump(&room.fixture.clock, start_ms + jumps[i]);
		assert_int_equal(STATUS_OK,
			waiting_room_admit(
				room.instance, event, admissions, 5, &count, &view, &next_ms));
		assert_int_equal(2, view.active);
		total += count;
		clock_fake_advance(&room.fixture.clock, 10);
	}
	assert_int_equal(2, total);
	clock_fake_advance(&room.fixture.clock, 60000);
	assert_int_equal(0, view_of(room.instance).active);
	close_room(&room);
}

static void without_a_record_a_loss_takes_the_rooms(void **state)
{
	(void)state;
	struct room room;
	struct waiting_room_view view;
	bool found = true;
	open_room(&room, 10, 0, &open_to_all);
	memory_store_lose(room.fixture.store);
	assert_int_equal(STATUS_OK, waiting_room_view(room.instance, event, &view, &found));
	assert_false(found);
	assert_false(waiting_room_traits(room.instance)->survives_data_loss);
	close_room(&room);
}

/* Numbers are reserved a block at a time, and after a loss begin behind what was reserved. */
static void the_record_reserves_in_blocks(void **state)
{
	(void)state;
	struct room room;
	struct join_result results[30];
	struct admission admissions[5];
	struct waiting_room_view view;
	int64_t next_ms;
	size_t count;
	open_room(&room, 100, 16, &open_to_all);
	assert_int_equal(STATUS_OK, join(room.instance, 1, 20, results));
	assert_int_equal(STATUS_OK,
		waiting_room_admit(room.instance, event, admissions, 5, &count, &view, &next_ms));
	memory_store_lose(room.fixture.store);
	view = view_of(room.instance);
	assert_int_equal(32, view.tail);
	assert_int_equal(16, view.serving);
	assert_int_equal(2, view.epoch);
	assert_false(view.exact);
	assert_int_equal(STATUS_OK, join(room.instance, 50, 1, results));
	assert_int_equal(33, results[0].place);
	close_room(&room);
}

/* A new heartbeat interval holds at once for those who are active already. */
static void a_shorter_heartbeat_counts_for_the_active(void **state)
{
	(void)state;
	struct room room;
	struct join_result results[3];
	struct admission admissions[3];
	struct waiting_room_view view;
	int64_t next_ms;
	size_t count;
	open_room(&room, 10, 0, &open_to_all);
	assert_int_equal(STATUS_OK, join(room.instance, 1, 3, results));
	assert_int_equal(STATUS_OK,
		waiting_room_admit(room.instance, event, admissions, 3, &count, &view, &next_ms));
	clock_fake_advance(&room.fixture.clock, 5000);
	struct waiting_room_settings settings = open_to_all;
	settings.heartbeat_seconds = 5;
	assert_int_equal(STATUS_OK, waiting_room_configure(room.instance, event, &settings, &view));
	assert_int_equal(0, view.active);
	close_room(&room);
}

/* ---- a crowd ---- */

enum { CROWD = 1000000, CROWD_BATCH = 1000 };

static void a_million_people_stand_in_line(void **state)
{
	(void)state;
	struct room room;
	struct join_result results[CROWD_BATCH];
	struct admission admissions[CROWD_BATCH];
	struct waiting_room_view view;
	int64_t next_ms;
	size_t count;
	open_room(&room, CROWD, 1000, &open_to_all);
	for (int64_t first = 1; first <= CROWD; first += CROWD_BATCH) {
		assert_int_equal(STATUS_OK, join(room.instance, first, CROWD_BATCH, results));
		for (int64_t i = 0; i < CROWD_BATCH; i++)
			if (results[i].outcome != JOIN_NEW || results[i].place != first + i)
				fail_msg("place %" PRId64 " for number %" PRId64, results[i].place,
					first + i);
	}
	assert_int_equal(STATUS_OK, join(room.instance, CROWD / 2, 1, results));
	assert_int_equal(JOIN_AGAIN, results[0].outcome);
	assert_int_equal(CROWD / 2, results[0].place);
	assert_int_equal(STATUS_OK,
		waiting_room_admit(
			room.instance, event, admissions, CROWD_BATCH, &count, &view, &next_ms));
	assert_int_equal(CROWD_BATCH, count);
	assert_int_equal(CROWD - CROWD_BATCH, view.waiting);
	memory_store_lose(room.fixture.store);
	assert_int_equal(CROWD, view_of(room.instance).tail);
	close_room(&room);
}

/* ---- several threads, while everything is lost again and again ---- */

static void *join_always(void *context)
{
	struct waiting_room *room;
	struct join_result results[10];
	struct memory_room_options options = {.store = context};
	if (memory_room_open(&options, &room) != STATUS_OK)
		return NULL;
	int64_t last = 0;
	bool grows = true;
	for (int64_t i = 0; i < 500; i++) {
		/* Always somebody new, so always a place behind the last, also after a loss. */
		int64_t first = i * 10 + 100000 * (int64_t)(pthread_self() % 1000);
		if (join(room, first, 10, results) != STATUS_OK)
			break;
		for (int j = 0; j < 10; j++) {
			grows = grows &&
				(results[j].outcome == JOIN_AGAIN || results[j].place > last);
			last = results[j].place;
		}
	}
	waiting_room_close(room);
	return grows ? context : NULL;
}

static void places_grow_across_losses(void **state)
{
	(void)state;
	enum { THREADS = 3 };
	struct room room;
	pthread_t threads[THREADS];
	open_room(&room, 100000, 8, &open_to_all);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			0, pthread_create(&threads[i], NULL, join_always, room.fixture.store));
	for (int i = 0; i < 20; i++)
		memory_store_lose(room.fixture.store);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		assert_int_equal(0, pthread_join(threads[i], &result));
		assert_non_null(result);
	}
	close_room(&room);
}

/* ---- the heap and the index ---- */

static bool keep_even(void *context, struct memory_heap_entry *entry)
{
	entry->key += *(const int64_t *)context;
	return entry->person % 2 == 0;
}

static void the_heap_gives_the_smallest_first(void **state)
{
	(void)state;
	enum { COUNT = 2000 };
	struct memory_heap heap;
	struct random random;
	int64_t shift = -7;
	random_init(&random, random_seed());
	assert_int_equal(STATUS_OK, memory_heap_init(&heap, COUNT));
	for (uint32_t i = 0; i < COUNT; i++)
		memory_heap_push(
			&heap, (struct memory_heap_entry){random_between(&random, -500, 500), i});
	memory_heap_sift(&heap, keep_even, &shift);
	assert_int_equal(COUNT / 2, heap.count);
	int64_t last = INT64_MIN;
	for (int i = 0; i < COUNT / 2; i++) {
		struct memory_heap_entry first = memory_heap_pop(&heap);
		assert_true(first.key >= last);
		assert_int_equal(0, first.person % 2);
		last = first.key;
	}
	assert_int_equal(0, heap.count);
	memory_heap_release(&heap);
}

/* Also where hashes are equal, and a NUL is part of an id. */
static void the_index_tells_people_apart(void **state)
{
	(void)state;
	static const struct slice ids[] = {{"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"", 0}, {"ab", 2}};
	struct memory_people people;
	assert_int_equal(STATUS_OK, memory_people_init(&people, 100));
	assert_null(memory_people_find(&people, 7, ids[0]));
	struct memory_person *added[5];
	for (int i = 0; i < 5; i++)
		if (ids[i].size > 0)
			added[i] = memory_people_add(&people, 7, ids[i]);
	for (int i = 0; i < 5; i++)
		if (ids[i].size > 0)
			assert_ptr_equal(added[i], memory_people_find(&people, 7, ids[i]));
	assert_null(memory_people_find(&people, 8, ids[0]));
	assert_null(memory_people_find(&people, 7, ids[3]));
	memory_people_release(&people);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_room_takes_nobody_new),
		cmocka_unit_test(there_are_at_most_so_many_events),
		cmocka_unit_test(a_jump_of_the_wall_time_changes_nothing),
		cmocka_unit_test(without_a_record_a_loss_takes_the_rooms),
		cmocka_unit_test(the_record_reserves_in_blocks),
		cmocka_unit_test(a_shorter_heartbeat_counts_for_the_active),
		cmocka_unit_test(a_million_people_stand_in_line),
		cmocka_unit_test(places_grow_across_losses),
		cmocka_unit_test(the_heap_gives_the_smallest_first),
		cmocka_unit_test(the_index_tells_people_apart),
	};
	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
