#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tech-waiting-room/waiting_room_directory.h"

enum { ROOMS = 3000, READERS = 3, ROUNDS = 20000 };

static struct room_directory *directory;
static struct listed_room *rooms;

static int set_up(void **state)
{
	(void)state;
	directory = calloc(1, sizeof *directory);
	rooms = calloc(ROOMS, sizeof *rooms);
	return !directory || !rooms;
}

static int tear_down(void **state)
{
	(void)state;
	free(directory);
	free(rooms);
	return 0;
}

static struct slice event_name(int number, char name[32])
{
	return (struct slice){.data = name, .size = (size_t)snprintf(name, 32, "event-%d", number)};
}

static struct listed_room *find(struct slice event)
{
	return directory_find(directory, event, event_hash(event));
}

static void rooms_are_found_by_their_event(void **state)
{
	char name[32];
	(void)state;
	/* More than there are buckets. */
	for (int i = 0; i < ROOMS; i++) {
		assert_null(find(event_name(i, name)));
		directory_add(directory, &rooms[i], event_name(i, name));
	}
	for (int i = 0; i < ROOMS; i++)
		assert_ptr_equal(&rooms[i], find(event_name(i, name)));
	assert_null(find(slice_of("event-")));
	assert_null(find(slice_of("event-10000")));
	assert_int_equal(ROOMS, directory->count);
}

static void absence_is_remembered_for_a_moment(void **state)
{
	uint64_t hash = event_hash(slice_of("nothing")), other = event_hash(slice_of("else"));
	int64_t now_ms = 123456789;
	(void)state;
	assert_false(directory_is_absent(directory, hash, now_ms));
	directory_set_absent(directory, hash, now_ms);
	assert_true(directory_is_absent(directory, hash, now_ms));
	assert_true(directory_is_absent(directory, hash, now_ms + DIRECTORY_ABSENT_MS - 200));
	assert_false(directory_is_absent(directory, hash, now_ms + DIRECTORY_ABSENT_MS + 100));
	assert_false(directory_is_absent(directory, other, now_ms));
	/* The same slot, another event. */
	directory_set_absent(directory, hash ^ (uint64_t)1 << 40, now_ms);
	assert_false(directory_is_absent(directory, hash, now_ms));
}

/* All numbers of a snapshot are one number, so a torn one shows. */
static struct room_snapshot snapshot_of(int64_t number)
{
	struct room_snapshot snapshot;
	memset(&snapshot, 0, sizeof snapshot);
	snapshot.view.epoch = snapshot.view.serving = snapshot.view.tail = number;
	snapshot.view.admitted = snapshot.admitted_last_minute = number;
	return snapshot;
}

static void *read_snapshots(void *context)
{
	const struct listed_room *room = context;
	int64_t last = 0;
	for (int i = 0; i < ROUNDS; i++) {
		struct room_snapshot read;
		listed_room_read(room, &read);
		const struct waiting_room_view *view = &read.view;
		if (view->epoch < last || view->serving != view->epoch ||
			view->tail != view->epoch || view->admitted != view->epoch ||
			read.admitted_last_minute != view->epoch)
			return context;
		last = view->epoch;
	}
	return NULL;
}

static void snapshots_are_whole_and_never_go_back(void **state)
{
	pthread_t threads[READERS];
	(void)state;
	directory_add(directory, &rooms[0], slice_of("e"));
	for (int i = 0; i < READERS; i++)
		assert_int_equal(
			0, pthread_create(&threads[i], NULL, read_snapshots, find(slice_of("e"))));
	for (int64_t i = 1; i <= ROUNDS; i++) {
		struct room_snapshot snapshot = snapshot_of(i);
		listed_room_publish(&rooms[0], &snapshot);
	}
	for (int i = 0; i < READERS; i++) {
		void *torn;
		pthread_join(threads[i], &torn);
		assert_null(torn);
	}
}

static void *look_for_all(void *context)
{
	char name[32];
	(void)context;
	for (int i = 0; i < ROOMS; i++)
		while (find(event_name(i, name)) != &rooms[i])
			;
	return NULL;
}

static void rooms_appear_to_readers(void **state)
{
	pthread_t threads[READERS];
	char name[32];
	(void)state;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, look_for_all, NULL));
	for (int i = 0; i < ROOMS; i++)
		directory_add(directory, &rooms[i], event_name(i, name));
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(rooms_are_found_by_their_event),
		TEST(absence_is_remembered_for_a_moment),
		TEST(snapshots_are_whole_and_never_go_back),
		TEST(rooms_appear_to_readers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
