#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "tech-waiting-room/waiting_room_followers.h"

enum { PEOPLE = 500, OPERATIONS = 20000 };

static struct followers followers;

static int tear_down(void **state)
{
	(void)state;
	followers_release(&followers);
	assert_int_equal(0, followers.count);
	return 0;
}

static struct follower *add(int number)
{
	char person[32];
	struct slice name = {
		.data = person, .size = (size_t)snprintf(person, sizeof person, "u%d", number)};
	struct follower *follower = followers_add(&followers, name);
	assert_non_null(follower);
	assert_ptr_equal(follower, followers_find(&followers, name));
	return follower;
}

static void a_person_follows_once(void **state)
{
	(void)state;
	assert_null(followers_find(&followers, slice_of("u1")));
	assert_ptr_equal(add(1), add(1));
	assert_int_equal(1, followers.count);
	assert_int_equal(FOLLOWER_CALLED, add(1)->standing);
	followers_drop(&followers, add(1));
	assert_null(followers_find(&followers, slice_of("u1")));
}

static void the_smallest_place_comes_first(void **state)
{
	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		struct follower *follower = add(i);
		follower->place = 1 + i * 277 % PEOPLE;
		followers_move(&followers, follower, FOLLOWER_WAITS);
	}
	for (int64_t place = 1; place <= PEOPLE; place++) {
		struct follower *first = followers_first(&followers, FOLLOWER_WAITS);
		assert_int_equal(place, first->place);
		followers_move(&followers, first, FOLLOWER_CALLED);
	}
	assert_null(followers_first(&followers, FOLLOWER_WAITS));
	/* In the order in which they were called. */
	int64_t place = 1;
	for (const struct follower *follower = followers_first(&followers, FOLLOWER_CALLED);
		follower; follower = follower->next)
		assert_int_equal(place++, follower->place);
	assert_int_equal(PEOPLE + 1, place);
}

static void those_not_seen_are_dropped(void **state)
{
	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		struct follower *follower = add(i);
		follower->seen_ms = i;
		follower->place = i;
		followers_move(
			&followers, follower, (enum follower_standing)(i % FOLLOWER_STANDINGS));
	}
	followers_drop_unseen(&followers, PEOPLE / 2);
	assert_int_equal(PEOPLE / 2, followers.count);
	followers_return(&followers);
	size_t count = 0;
	for (const struct follower *follower = followers_first(&followers, FOLLOWER_RETURNS);
		follower; follower = follower->next, count++)
		assert_true(follower->seen_ms >= PEOPLE / 2);
	assert_int_equal(PEOPLE / 2, count);
}

/* Whether list and heap hold exactly those whose standing says so, and the heap is one. */
static void check_all(void)
{
	size_t counted = followers.heap_count;
	for (size_t i = 0; i < followers.heap_count; i++) {
		assert_int_equal(i, followers.heap[i]->heap_index);
		assert_int_equal(FOLLOWER_WAITS, followers.heap[i]->standing);
		assert_true(followers.heap[(i - (i > 0)) / 2]->place <= followers.heap[i]->place);
	}
	for (enum follower_standing standing = 0; standing < FOLLOWER_STANDINGS; standing++) {
		if (standing == FOLLOWER_WAITS)
			continue;
		for (const struct follower *follower = followers_first(&followers, standing);
			follower; follower = follower->next, counted++)
			assert_int_equal(standing, follower->standing);
	}
	assert_int_equal(followers.count, counted);
}

static void whatever_is_done_all_stand_somewhere(void **state)
{
	struct random random;
	(void)state;
	random_init(&random, random_seed());
	for (int i = 0; i < OPERATIONS; i++) {
		struct follower *follower = add((int)random_below(&random, PEOPLE));
		if (random_below(&random, 4) == 0) {
			followers_drop(&followers, follower);
		} else {
			if (follower->standing != FOLLOWER_WAITS)
				follower->place = (int64_t)random_below(&random, 100);
			followers_move(&followers, follower,
				(enum follower_standing)random_below(&random, FOLLOWER_STANDINGS));
		}
		if (i % 100 == 0)
			check_all();
	}
	check_all();
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_teardown(name_, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_person_follows_once),
		TEST(the_smallest_place_comes_first),
		TEST(those_not_seen_are_dropped),
		TEST(whatever_is_done_all_stand_somewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
