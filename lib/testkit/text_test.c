#include "lib/testkit/text.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 100000 };

static void a_text_stays_however_many_are_made(void **state)
{
	(void)state;
	const char *first = text("%s-%d", "first", 1);
	for (int i = 0; i < MANY; i++)
		assert_true(strlen(text("%d", i)) <= 5);
	assert_string_equal("first-1", first);
}

static void a_long_one_is_whole(void **state)
{
	(void)state;
	enum { LONG = 1 << 20 };
	/* Also where all others have to go for it, and where it is more than is kept. */
	for (int i = 0; i < 2 * TEXT_BYTES_MAX / LONG; i++)
		assert_int_equal(LONG, strlen(text("%*d", LONG, i)));
	assert_int_equal(2 * TEXT_BYTES_MAX, strlen(text("%*d", 2 * TEXT_BYTES_MAX, 1)));
	assert_string_equal("after", text("after"));
}

static void *make_some(void *result)
{
	const char *mine = text("of a thread");
	for (int i = 0; i < MANY; i++)
		(void)text("%d", i);
	*(int *)result = strcmp(mine, "of a thread");
	return NULL;
}

static void threads_do_not_see_each_other(void **state)
{
	(void)state;
	pthread_t threads[4];
	int results[4];
	const char *mine = text("of main");
	for (int i = 0; i < 4; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, make_some, &results[i]));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(0, pthread_join(threads[i], NULL));
		assert_int_equal(0, results[i]);
	}
	assert_string_equal("of main", mine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_stays_however_many_are_made),
		cmocka_unit_test(a_long_one_is_whole),
		cmocka_unit_test(threads_do_not_see_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
