/* The tree of routes by itself. */
#include "lib/http/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct http_routes *routes;
static struct http_match match;

static void handle(struct http_exchange *exchange)
{
	(void)exchange;
}

static const struct http_route table[] = {
	{HTTP_GET, "/", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/a", HTTP_ON_LOOP, handle, 0},
	{HTTP_POST, "/a", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/a/{x}", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/a/b", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/a/b/c", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/a/{x}/d", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/a/{x}/d/{y}/{z}/{w}", HTTP_ON_LOOP, handle, 0},
	{HTTP_GET, "/deep/only/here", HTTP_ON_LOOP, handle, 0},
};

static int set_up(void **state)
{
	(void)state;
	struct fault fault;
	return http_routes_new(table, sizeof table / sizeof table[0], &routes, &fault) != STATUS_OK;
}

static int tear_down(void **state)
{
	(void)state;
	http_routes_free(routes);
	routes = NULL;
	return 0;
}

static bool leads(const char *path, const char *pattern)
{
	if (!http_routes_match(routes, slice_of(path), &match))
		return false;
	assert_non_null(match.by_method[HTTP_GET]);
	return strcmp(match.by_method[HTTP_GET]->pattern, pattern) == 0;
}

static bool leads_nowhere(const char *path)
{
	return !http_routes_match(routes, slice_of(path), &match);
}

static void test_paths_lead_to_their_patterns(void **state)
{
	(void)state;
	assert_true(leads("/", "/"));
	assert_true(leads("/a", "/a"));
	assert_non_null(match.by_method[HTTP_POST]);
	assert_null(match.by_method[HTTP_PUT]);
	assert_true(leads("/deep/only/here", "/deep/only/here"));
}

static void test_literal_wins_over_parameter(void **state)
{
	(void)state;
	assert_true(leads("/a/b", "/a/b"));
	assert_int_equal(0, match.parameter_count);
	assert_true(leads("/a/bb", "/a/{x}"));
	assert_int_equal(1, match.parameter_count);
	assert_true(slice_is(match.parameters[0], "bb"));
}

/* /a/b exists, but only /a/{x} leads on to d: what the literal tried must be forgotten. */
static void test_parameter_is_tried_where_the_literal_leads_nowhere(void **state)
{
	(void)state;
	assert_true(leads("/a/b/d", "/a/{x}/d"));
	assert_int_equal(1, match.parameter_count);
	assert_true(slice_is(match.parameters[0], "b"));
	assert_true(leads("/a/b/d/1/2/3", "/a/{x}/d/{y}/{z}/{w}"));
	assert_int_equal(4, match.parameter_count);
	assert_true(slice_is(match.parameters[0], "b"));
	assert_true(slice_is(match.parameters[3], "3"));
}

static void test_nothing_stands_there(void **state)
{
	(void)state;
	static const char *const paths[] = {"", "a", "*", "//", "/a/", "//a", "/a//d", "/A", "/ab",
		"/a/x/e", "/deep", "/deep/only", "/deep/only/here/", "/deep/only/here/x",
		"/a/x/d/1/2", "/a/x/d/1/2/3/4", "/%61", "http://host/a"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (!leads_nowhere(paths[i]))
			fail_msg("'%s' leads to %s", paths[i], match.by_method[HTTP_GET]->pattern);
}

/* The walk is bounded by the tree, not by the path. */
static void test_long_paths_end(void **state)
{
	(void)state;
	static char path[1 << 20];
	memset(path, '/', sizeof path - 1);
	assert_true(leads_nowhere(path));
	for (size_t i = 1; i + 1 < sizeof path; i += 2)
		path[i] = 'a';
	assert_true(leads_nowhere(path));
}

static void test_parameter_names(void **state)
{
	(void)state;
	const struct http_route *route = &table[7];
	assert_true(slice_is(http_route_parameter_name(route, 0), "x"));
	assert_true(slice_is(http_route_parameter_name(route, 3), "w"));
	assert_null(http_route_parameter_name(route, 4).data);
	assert_null(http_route_parameter_name(&table[0], 0).data);
}

static void refused(const struct http_route wrong[], size_t count, const char *where)
{
	struct http_routes *made = NULL;
	struct fault fault = {0};
	assert_int_equal(STATUS_REFUSED, http_routes_new(wrong, count, &made, &fault));
	assert_null(made);
	assert_string_equal(where, fault.where);
	assert_true(strlen(fault.what) > 0);
}

static void test_wrong_tables_are_refused(void **state)
{
	(void)state;
	const struct http_route twice[] = {
		{HTTP_GET, "/t/{a}", HTTP_ON_LOOP, handle, 0},
		{HTTP_PUT, "/t/{a}", HTTP_ON_LOOP, handle, 0},
		{HTTP_GET, "/t/{b}", HTTP_ON_LOOP, handle, 0},
	};
	refused(twice, 3, "/t/{b}");
	const struct http_route no_slash[] = {{HTTP_GET, "t", HTTP_ON_LOOP, handle, 0}};
	refused(no_slash, 1, "t");
	const struct http_route no_handler[] = {{HTTP_GET, "/t", HTTP_ON_LOOP, NULL, 0}};
	refused(no_handler, 1, "/t");
	const struct http_route parameters[] = {
		{HTTP_GET, "/{a}/{b}/{c}/{d}/{e}", HTTP_ON_LOOP, handle, 0}};
	refused(parameters, 1, "/{a}/{b}/{c}/{d}/{e}");
	const struct http_route deep[] = {
		{HTTP_GET, "/1/2/3/4/5/6/7/8/9/10/11/12/13", HTTP_ON_LOOP, handle, 0}};
	refused(deep, 1, "/1/2/3/4/5/6/7/8/9/10/11/12/13");
}

static void test_empty_table(void **state)
{
	(void)state;
	struct http_routes *none = NULL;
	struct fault fault;
	assert_int_equal(STATUS_OK, http_routes_new(table, 0, &none, &fault));
	assert_false(http_routes_match(none, slice_of("/"), &match));
	http_routes_free(none);
	http_routes_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_lead_to_their_patterns),
		cmocka_unit_test(test_literal_wins_over_parameter),
		cmocka_unit_test(test_parameter_is_tried_where_the_literal_leads_nowhere),
		cmocka_unit_test(test_nothing_stands_there),
		cmocka_unit_test(test_long_paths_end),
		cmocka_unit_test(test_parameter_names),
		cmocka_unit_test(test_wrong_tables_are_refused),
		cmocka_unit_test(test_empty_table),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
