/* URLs that are taken, and those that are refused without a word about what was in them. */
#include "lib/redis/redis_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, const struct redis_url *expected)
{
	struct redis_url url;
	struct fault fault = {.what = ""};
	if (redis_url_parse(text, &url, &fault) != STATUS_OK)
		fail_msg("%s: %s", text, fault.what);
	assert_int_equal(STATUS_OK, redis_check_url(text, NULL));
	assert_string_equal(expected->host, url.host);
	assert_string_equal(expected->port, url.port);
	assert_string_equal(expected->user, url.user);
	assert_string_equal(expected->password, url.password);
	assert_int_equal(expected->database, url.database);
}

static void urls_are_taken_apart(void **state)
{
	(void)state;
	check("redis://localhost", &(struct redis_url){.host = "localhost", .port = "6379"});
	check("redis://localhost/", &(struct redis_url){.host = "localhost", .port = "6379"});
	check("redis://:secret@127.0.0.1:6380/3",
		&(struct redis_url){
			.host = "127.0.0.1", .port = "6380", .password = "secret", .database = 3});
	check("redis://anna:s%3a%40%2F%25c@cache.example.org:65535",
		&(struct redis_url){.host = "cache.example.org",
			.port = "65535",
			.user = "anna",
			.password = "s:@/%c"});
	check("redis://:a:b@h",
		&(struct redis_url){.host = "h", .port = "6379", .password = "a:b"});
	check("redis://[::1]:7000/15",
		&(struct redis_url){.host = "::1", .port = "7000", .database = 15});
	check("redis://[fe80::1]",
		&(struct redis_url){.host = "fe80::1", .port = "6379", .database = 0});
}

static void others_are_refused(void **state)
{
	(void)state;
	const char *const urls[] = {
		"",
		"sesame",
		"http://:sesame@h",
		"rediss://:sesame@h",
		"unix:///sesame",
		"redis://",
		"redis:///sesame",
		"redis://:sesame@",
		"redis://:sesame@:6379",
		"redis://:sesame@h:0",
		"redis://:sesame@h:65536",
		"redis://:sesame@h:",
		"redis://:sesame@h:6379x",
		"redis://:sesame@h:+6379",
		"redis://:sesame@h/x",
		"redis://:sesame@h/-1",
		"redis://:sesame@h/1/2",
		"redis://:sesame@h/99999999999",
		"redis://:sesame@h?db=1",
		"redis://:sesame@h#1",
		"redis://:sesame%@h",
		"redis://:sesame%2@h",
		"redis://:sesame%zz@h",
		"redis://:sesame%00@h",
		"redis://sesame@h",
		"redis://sesame:@h",
		"redis://:a@sesame@h",
		"redis://:pass/sesame@h",
		"redis://:sesame@h h",
		"redis://:sesame@[::1",
		"redis://:sesame@[::1]6379",
		"redis://:sesame@[]",
		"redis://:sesame@h%00",
	};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct redis_url url;
		struct fault fault = {.what = ""};
		if (redis_url_parse(urls[i], &url, &fault) != STATUS_REFUSED)
			fail_msg("%s is taken", urls[i]);
		assert_int_equal(STATUS_REFUSED, redis_check_url(urls[i], NULL));
		assert_true(fault.what[0] != '\0' && fault.where[0] != '\0');
		assert_null(strstr(fault.what, "sesame"));
		assert_null(strstr(fault.where, "sesame"));
	}
}

/* Each part at its longest, and one longer. */
static void parts_have_a_longest(void **state)
{
	(void)state;
	char text[4096], part[REDIS_SECRET_SIZE_MAX + 2];
	struct redis_url url;
	const struct {
		const char *format;
		int size_max;
	} cases[] = {
		{"redis://%s", REDIS_HOST_SIZE_MAX},
		{"redis://:%s@h", REDIS_SECRET_SIZE_MAX},
		{"redis://%s:p@h", REDIS_SECRET_SIZE_MAX},
	};
	memset(part, 'a', sizeof part);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (int more = 0; more < 2; more++) {
			part[cases[i].size_max + more] = '\0';
			(void)snprintf(text, sizeof text, cases[i].format, part);
			assert_int_equal(more ? STATUS_REFUSED : STATUS_OK,
				redis_url_parse(text, &url, NULL));
			part[cases[i].size_max + more] = 'a';
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(parts_have_a_longest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
