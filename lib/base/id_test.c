/* Ids: the bits of RFC 9562, order within a thread whatever the clock does, no id twice. */
#include "lib/base/id.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	THREAD_COUNT = 4,
	IDS_PER_THREAD = 20000,
};

static int64_t ms_of(struct id id)
{
	int64_t ms = 0;
	for (int index = 0; index < 6; index++)
		ms = ms << 8 | id.bytes[index];
	return ms;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

/* Each test that needs a thread's first id runs in a thread of its own. */
static void in_new_thread(void *(*work)(void *))
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *make_one(void *ignored)
{
	(void)ignored;
	struct id id = id_new(INT64_C(0x0123456789AB));
	assert_memory_equal(id.bytes, "\x01\x23\x45\x67\x89\xab", 6);
	assert_int_equal(id.bytes[6] >> 4, 7);
	assert_int_equal(id.bytes[8] >> 6, 2);
	/* Half of the counter is kept free for counting. */
	assert_true((id.bytes[6] & 0xF) < 8);
	assert_int_equal(ms_of(id_new((INT64_C(1) << 48) - 1)), (INT64_C(1) << 48) - 1);
	return NULL;
}

static void the_bits_are_those_of_version_7(void **state)
{
	(void)state;
	in_new_thread(make_one);
}

static void *make_many_in_one_ms(void *ignored)
{
	(void)ignored;
	struct id last = id_new(1000000);
	assert_int_equal(ms_of(last), 1000000);
	for (int index = 0; index < 100000; index++) {
		struct id id = id_new(1000000);
		assert_true(compare(&last, &id) < 0);
		assert_int_equal(id.bytes[6] >> 4, 7);
		assert_int_equal(id.bytes[8] >> 6, 2);
		last = id;
	}
	/* Each borrowed millisecond holds 2048 to 4096 ids. */
	assert_true(ms_of(last) >= 1000000 + 100000 / 4096);
	assert_true(ms_of(last) <= 1000000 + 100000 / 2048 + 1);
	return NULL;
}

static void a_full_counter_borrows_from_the_future(void **state)
{
	(void)state;
	in_new_thread(make_many_in_one_ms);
}

static void *make_while_the_clock_jumps(void *ignored)
{
	(void)ignored;
	static const int64_t times[] = {5000, 5001, 4000, 0, 5001, 5002, 1, 9000, 8999, 9001};
	struct id last = id_new(5000);
	for (size_t index = 0; index < sizeof times / sizeof times[0]; index++) {
		struct id id = id_new(times[index]);
		assert_true(compare(&last, &id) < 0);
		last = id;
	}
	assert_int_equal(ms_of(last), 9001);
	return NULL;
}

static void ids_grow_when_the_clock_goes_back(void **state)
{
	(void)state;
	in_new_thread(make_while_the_clock_jumps);
}

static struct id made[THREAD_COUNT * IDS_PER_THREAD];

static void *make_share(void *first)
{
	struct id *ids = first;
	for (int index = 0; index < IDS_PER_THREAD; index++)
		ids[index] = id_new(7000000);
	return NULL;
}

static void no_id_is_made_twice_by_several_threads(void **state)
{
	(void)state;
	pthread_t threads[THREAD_COUNT];
	for (int index = 0; index < THREAD_COUNT; index++)
		assert_int_equal(pthread_create(&threads[index], NULL, make_share,
					 &made[index * IDS_PER_THREAD]),
			0);
	for (int index = 0; index < THREAD_COUNT; index++)
		assert_int_equal(pthread_join(threads[index], NULL), 0);
	for (int index = 1; index < IDS_PER_THREAD; index++)
		assert_true(compare(&made[index - 1], &made[index]) < 0);
	qsort(made, THREAD_COUNT * IDS_PER_THREAD, sizeof made[0], compare);
	for (int index = 1; index < THREAD_COUNT * IDS_PER_THREAD; index++)
		assert_true(compare(&made[index - 1], &made[index]) < 0);
}

static void a_forked_child_makes_ids_of_its_own(void **state)
{
	(void)state;
	(void)id_new(1000);
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		struct id id = id_new(1000);
		_exit(write(ends[1], &id, sizeof id) == sizeof id ? 0 : 1);
	}
	struct id own = id_new(1000), childs;
	assert_int_equal(read(ends[0], &childs, sizeof childs), sizeof childs);
	assert_int_not_equal(compare(&own, &childs), 0);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
}

static void text_and_back(void **state)
{
	(void)state;
	struct id id, parsed;
	/* The example of RFC 9562, appendix A.6. */
	static const char example[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
	assert_true(id_parse(slice_of(example), &id));
	assert_memory_equal(
		id.bytes, "\x01\x7f\x22\xe2\x79\xb0\x7c\xc3\x98\xc4\xdc\x0c\x0c\x07\x39\x8f", 16);
	char text[ID_TEXT_SIZE];
	id_format(id, text);
	assert_string_equal(text, example);
	assert_true(id_parse(slice_of("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &parsed));
	assert_memory_equal(&id, &parsed, sizeof id);
	for (int index = 0; index < 1000; index++) {
		id = id_new(index);
		id_format(id, text);
		assert_int_equal(strlen(text), 36);
		assert_true(id_parse(slice_of(text), &parsed));
		assert_memory_equal(&id, &parsed, sizeof id);
	}
}

static void what_is_no_id_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", "017f22e279b07cc398c4dc0c0c07398f",
		"{17f22e2-79b0-7cc3-98c4-dc0c0c07398}", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
		"017f22e2-79b0-7cc3-98c4 dc0c0c07398f", "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
		" 17f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398 ",
		"+17f22e2-79b0-7cc3-98c4-dc0c0c07398f", "------------------------------------",
		"0x7f22e2-79b0-7cc3-98c4-dc0c0c07398f"};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		struct id id = {.bytes = {42}};
		if (id_parse(slice_of(cases[index]), &id))
			fail_msg("\"%s\" was taken", cases[index]);
		assert_int_equal(id.bytes[0], 42);
	}
	struct id id;
	char zero[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
	zero[20] = '\0';
	assert_false(id_parse((struct slice){.data = zero, .size = 36}, &id));
}

static void random_bytes_are_random(void **state)
{
	(void)state;
	enum { SIZE = 1 << 16 };
	static uint8_t bytes[SIZE + 1];
	random_bytes(bytes, 0);
	assert_int_equal(bytes[0], 0);
	random_bytes(bytes, SIZE);
	assert_int_equal(bytes[SIZE], 0);
	/* Each value is expected 256 times, give or take 16; ten deviations do not happen. */
	int counts[256] = {0};
	for (int index = 0; index < SIZE; index++)
		counts[bytes[index]]++;
	for (int value = 0; value < 256; value++)
		assert_in_range(counts[value], 96, 416);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bits_are_those_of_version_7),
		cmocka_unit_test(a_full_counter_borrows_from_the_future),
		cmocka_unit_test(ids_grow_when_the_clock_goes_back),
		cmocka_unit_test(no_id_is_made_twice_by_several_threads),
		cmocka_unit_test(a_forked_child_makes_ids_of_its_own),
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(what_is_no_id_is_refused),
		cmocka_unit_test(random_bytes_are_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
