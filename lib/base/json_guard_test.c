/* The guard's bounds and the paths that it names, with hostile text among them. */
#include "lib/base/json_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct json_limits limits = {
	.size_max = 1000, .depth_max = 4, .containers_max = 9, .tokens_max = 20};

static void assert_passes(const char *json)
{
	struct fault fault = {.what = ""};
	if (json_guard(slice_of(json), &limits, &fault) != STATUS_OK)
		fail_msg("%s: %s %s", json, fault.where, fault.what);
}

static void assert_refused(const char *json, const char *where, const char *what)
{
	struct fault fault;
	assert_int_equal(json_guard(slice_of(json), &limits, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, where);
	assert_non_null(strstr(fault.what, what));
}

static void assert_path(const char *json, const char *mark, const char *path)
{
	char found[100];
	const char *at = strstr(json, mark);
	assert_non_null(at);
	json_path_at(slice_of(json), (size_t)(at - json), found, sizeof found);
	assert_string_equal(found, path);
}

static void depth_is_bounded(void **state)
{
	(void)state;
	assert_passes("[[[[1]]]]");
	assert_passes("{\"a\":{\"b\":[{}, {}, []]}}");
	assert_refused("[0,[[[[1]]]]]", "$[1][0][0][0]", "limit of 4 levels");
	assert_refused("{\"a\":[{\"b\":{\"c\":[1]}}]}", "$.a[0].b.c", "limit of 4 levels");
}

static void a_whole_bomb_of_brackets_is_refused(void **state)
{
	(void)state;
	enum { SIZE = 1000 };
	char bomb[SIZE];
	struct fault fault;
	memset(bomb, '[', SIZE);
	struct slice json = {.data = bomb, .size = SIZE};
	assert_int_equal(json_guard(json, &limits, &fault), STATUS_REFUSED);
	for (size_t i = 0; i + 5 < SIZE; i += 5)
		memcpy(bomb + i, "{\"\":[", 5);
	assert_int_equal(json_guard(json, &limits, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, "$[''][0][''][0]");
}

static void brackets_inside_strings_do_not_count(void **state)
{
	(void)state;
	assert_passes("[\"[[[[[[[[[[{{{{{{{{{{\"]");
	assert_passes("[\"\\\"[[[[[[[[\\\\\"]");
	assert_refused("[\"\\\\\",[[[[1]]]]]", "$[1][0][0][0]", "levels");
}

static void tokens_are_bounded(void **state)
{
	(void)state;
	assert_passes("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]");
	assert_refused("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", "$[19]",
		"limit of 20 values");
	assert_refused("{\"a\":[1,2,3,4,5,6,7,8,9,10,\"\",\"\",\"\",\"\",{},{},{},true]}",
		"$.a[17]", "limit of 20 values");
}

static void containers_are_bounded(void **state)
{
	(void)state;
	assert_passes("[{},[],{},[],{},[],{},[]]");
	assert_refused("[{},[],{},[],{},[],{},[],{}]", "$[8]", "limit of 9 objects");
}

static void size_is_bounded(void **state)
{
	(void)state;
	char spaces[1001];
	struct fault fault;
	memset(spaces, ' ', sizeof spaces);
	struct slice json = {.data = spaces, .size = 1000};
	assert_int_equal(json_guard(json, &limits, &fault), STATUS_OK);
	json.size = 1001;
	assert_int_equal(json_guard(json, &limits, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, "$");
}

static void what_is_no_json_is_left_to_the_parser(void **state)
{
	(void)state;
	assert_passes("");
	assert_passes("]]]]}}}}");
	assert_passes("\"");
	assert_passes("\"\\");
	assert_passes("{\"a");
	assert_passes("nul");
	struct slice zero = {.data = "[\0\0]", .size = 4};
	assert_int_equal(json_guard(zero, &limits, NULL), STATUS_OK);
}

static void a_position_becomes_a_path(void **state)
{
	(void)state;
	const char *json =
		"{\"name\": \"N\", \"zones\": [{}, {\"rows\": [[1, 2], \"here\"]}], \"z\": 7}";
	assert_path(json, "N", "$.name");
	assert_path(json, "ame", "$.na");
	assert_path(json, "{}", "$.zones[0]");
	assert_path(json, "2]", "$.zones[1].rows[0][1]");
	assert_path(json, "here", "$.zones[1].rows[1]");
	assert_path(json, "7", "$.z");
	char path[100];
	json_path_at(slice_of(json), 10000, path, sizeof path);
	assert_string_equal(path, "$");
	json_path_at(slice_of(""), 0, path, sizeof path);
	assert_string_equal(path, "$");
}

static void keys_from_outside_are_shown_safely(void **state)
{
	(void)state;
	assert_path("{\"two words\": 1}", "1", "$['two words']");
	assert_path("{\"it's\": 1}", "1", "$['?']");
	assert_path("{\"\xff\": 1}", "1", "$['?']");
	assert_path("{\"a\x01\": 2}", "2", "$['?']");
	assert_path("{\"0123456789012345678901234567890123456789012345678901234567890\": 9x}", "9x",
		"$['?']");
	assert_path("{\"stra\xc3\x9f"
		    "e\": 1}",
		"1",
		"$['stra\xc3\x9f"
		"e']");
}

static void a_path_is_cut_at_a_whole_step(void **state)
{
	(void)state;
	char path[8];
	json_path_at(slice_of("{\"abc\":{\"defgh\":1}}"), 16, path, sizeof path);
	assert_string_equal(path, "$.abc");
	json_path_at(slice_of("[1]"), 1, path, 1);
	assert_string_equal(path, "");
}

/* Any bytes at all: nothing is read outside of them (the sanitizers watch), and no path is invalid
 * UTF-8. */
static void random_bytes_are_survived(void **state)
{
	(void)state;
	static const char alphabet[] = "{}[]\",:\\ 0a\xc3\xa9\xff\x01";
	uint64_t seed = 1;
	for (int round = 0; round < 20000; round++) {
		char *json = malloc(40);
		assert_non_null(json);
		for (int i = 0; i < 40; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			json[i] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
		}
		struct slice slice = {.data = json, .size = 40};
		struct fault fault;
		if (json_guard(slice, &limits, &fault) != STATUS_OK)
			assert_true(slice_is_text(slice_of(fault.where)));
		char path[30];
		json_path_at(slice, (seed >> 40) % 45, path, sizeof path);
		assert_true(slice_is_text(slice_of(path)));
		free(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(a_whole_bomb_of_brackets_is_refused),
		cmocka_unit_test(brackets_inside_strings_do_not_count),
		cmocka_unit_test(tokens_are_bounded),
		cmocka_unit_test(containers_are_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(what_is_no_json_is_left_to_the_parser),
		cmocka_unit_test(a_position_becomes_a_path),
		cmocka_unit_test(keys_from_outside_are_shown_safely),
		cmocka_unit_test(a_path_is_cut_at_a_whole_step),
		cmocka_unit_test(random_bytes_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
