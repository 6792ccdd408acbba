/* A rendezvous: what was rung counts once it was joined, whoever waits, and only then. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/batch/rendezvous.h"

enum { LONG_MS = 60000, THREADS = 8, ROUNDS = 200, KEYS = 16 };

static struct rendezvous *rendezvous;

static struct id id_of(int number)
{
	return (struct id){.bytes = {[0] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
}

static int set_up(void **state)
{
	(void)state;
	return rendezvous_open(&rendezvous) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	rendezvous_close(rendezvous);
	return 0;
}

static void what_was_rung_before_the_wait_counts(void **state)
{
	(void)state;
	struct rendezvous_key keys[] = {{.id = id_of(1)}, {.id = id_of(2)}, {.id = id_of(1)}};
	struct rendezvous_party party;
	rendezvous_join(rendezvous, &party, keys, 3);
	rendezvous_ring(rendezvous, id_of(1));
	rendezvous_ring(rendezvous, id_of(1));
	assert_int_equal(1, rendezvous_wait(rendezvous, &party, 0));
	rendezvous_ring(rendezvous, id_of(2));
	assert_int_equal(0, rendezvous_wait(rendezvous, &party, LONG_MS));
	rendezvous_leave(rendezvous, &party);
	assert_true(keys[0].rung && keys[1].rung && keys[2].rung);
}

static void others_and_those_who_left_hear_nothing(void **state)
{
	(void)state;
	/* Same bucket, another id. */
	struct rendezvous_key first = {.id = id_of(1)}, second = {.id = id_of(256 + 1)};
	struct rendezvous_party a, b;
	rendezvous_join(rendezvous, &a, &first, 1);
	rendezvous_join(rendezvous, &b, &second, 1);
	rendezvous_ring(rendezvous, second.id);
	assert_int_equal(1, rendezvous_wait(rendezvous, &a, 0));
	rendezvous_drop(rendezvous, &first);
	rendezvous_drop(rendezvous, &first);
	assert_int_equal(0, rendezvous_wait(rendezvous, &a, LONG_MS));
	rendezvous_leave(rendezvous, &a);
	first.rung = false;
	rendezvous_ring(rendezvous, first.id);
	assert_false(first.rung);
	assert_int_equal(0, rendezvous_wait(rendezvous, &b, 0));
	rendezvous_leave(rendezvous, &b);
}

static void nothing_to_wait_for_is_not_waited_for(void **state)
{
	(void)state;
	struct rendezvous_party party;
	rendezvous_join(rendezvous, &party, NULL, 0);
	assert_int_equal(0, rendezvous_wait(rendezvous, &party, LONG_MS));
	rendezvous_leave(rendezvous, &party);
}

static void time_that_is_up_ends_the_wait(void **state)
{
	(void)state;
	struct rendezvous_key key = {.id = id_of(1)};
	struct rendezvous_party party;
	rendezvous_join(rendezvous, &party, &key, 1);
	assert_int_equal(1, rendezvous_wait(rendezvous, &party, 5));
	rendezvous_leave(rendezvous, &party);
	assert_false(key.rung);
}

/* Each round of a thread waits for keys that the next thread rings; nobody would ever be woken by
 * time alone. */
static pthread_barrier_t barrier;

static void *meet(void *context)
{
	int self = (int)(intptr_t)context, other = (self + 1) % THREADS;
	for (int round = 0; round < ROUNDS; round++) {
		struct rendezvous_key keys[KEYS];
		struct rendezvous_party party;
		for (int i = 0; i < KEYS; i++)
			keys[i].id = id_of(self * KEYS + i);
		rendezvous_join(rendezvous, &party, keys, KEYS);
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < KEYS; i++)
			rendezvous_ring(rendezvous, id_of(other * KEYS + i));
		size_t missing = rendezvous_wait(rendezvous, &party, LONG_MS);
		rendezvous_leave(rendezvous, &party);
		pthread_barrier_wait(&barrier);
		if (missing > 0)
			return context;
	}
	return NULL;
}

static void threads_wake_each_other(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (intptr_t i = 0; i < THREADS; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, meet, (void *)i));
	for (int i = 0; i < THREADS; i++) {
		void *failed;
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_rung_before_the_wait_counts),
		cmocka_unit_test(others_and_those_who_left_hear_nothing),
		cmocka_unit_test(nothing_to_wait_for_is_not_waited_for),
		cmocka_unit_test(time_that_is_up_ends_the_wait),
		cmocka_unit_test(threads_wake_each_other),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
