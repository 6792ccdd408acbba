/* Keys, and their slots as a server computes them. */
#include "lib/redis/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

static void keys_carry_their_event(void **state)
{
	(void)state;
	char key[REDIS_KEY_SIZE_MAX];
	struct slice made = redis_key(key, "room", slice_of("e-1"), "tail");
	assert_true(slice_is(made, "room:{e-1}:tail"));
	assert_string_equal("room:{e-1}:tail", key);
	char other[REDIS_KEY_SIZE_MAX];
	assert_int_equal(redis_slot(made),
		redis_slot(redis_key(other, "guard", slice_of("e-1"), "seats:s-2")));
}

/* As Redis 7.0.15 in cluster mode answers CLUSTER KEYSLOT. */
static void slots_are_those_of_redis(void **state)
{
	(void)state;
	const struct {
		const char *key;
		unsigned slot;
	} cases[] = {
		{"", 0},
		{"123456789", 0x31c3}, /* The check value of CRC-16/XMODEM. */
		{"foo", 12182},
		{"bar", 5061},
		{"foo{bar}{zap}", 5061},
		{"{user1000}.following", 3443},
		{"foo{{bar}}zap", 4015},
		{"foo{}{bar}", 8363},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(cases[i].slot, redis_slot(slice_of(cases[i].key)));
	assert_int_equal(redis_slot(slice_of("{bar")), redis_slot(slice_of("foo{{bar}}zap")));
	assert_int_not_equal(redis_slot(slice_of("}foo{bar")), redis_slot(slice_of("bar")));
}

/* A random key, of few letters so that braces are frequent. */
static struct slice random_key(struct random *random, char key[32])
{
	static const char letters[] = "ab{}\0\xff:7";
	size_t size = random_below(random, 32);
	for (size_t i = 0; i < size; i++)
		key[i] = letters[random_below(random, sizeof letters - 1)];
	return (struct slice){.data = key, .size = size};
}

static void slots_are_within_bounds_and_follow_the_tag(void **state)
{
	(void)state;
	struct random random;
	char key[32], tagged[64];
	random_init(&random, random_seed());
	for (int i = 0; i < 20000; i++) {
		struct slice made = random_key(&random, key);
		assert_true(redis_slot(made) < REDIS_SLOTS);
		if (made.size == 0 || memchr(made.data, '{', made.size) != NULL ||
			memchr(made.data, '}', made.size) != NULL)
			continue;
		tagged[0] = '{';
		memcpy(tagged + 1, made.data, made.size);
		memcpy(tagged + 1 + made.size, "}x{y}", 5);
		assert_int_equal(redis_slot(made),
			redis_slot((struct slice){.data = tagged, .size = made.size + 6}));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_carry_their_event),
		cmocka_unit_test(slots_are_those_of_redis),
		cmocka_unit_test(slots_are_within_bounds_and_follow_the_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
