/* What clients may send that no honest one would: nothing of it holds or buys anything, and each is
 * told what is wrong. */
#include "tech-locking-and-transactions/seat_routes_fixture.h"

static struct shop shop;
static struct shop_server server;

#define KEY "Idempotency-Key: k\r\n"

static int set_up(void **state)
{
	(void)state;
	shop_open(&shop);
	shop_server_open(&server, &shop, (struct seat_routes_options){0});
	shop_wait_ready(&server, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	shop_server_close(&server);
	shop_close(&shop);
	return 0;
}

static const char *holds(void)
{
	return text("/events/%s/holds", shop.listing->id_text);
}

static void want_nothing_happened(void)
{
	assert_int_equal(SHOP_SEATS, shop_count(&server, "?status=available"));
	assert_int_equal(0, fake_orders_paid(shop.orders));
}

static void test_bodies_of_holds(void **state)
{
	static const struct {
		int status;
		const char *body;
	} wrong[] = {
		{400, ""},
		{400, "{"},
		{400, "nonsense"},
		{400, "{\"userId\":\"u\",\"userId\":\"v\",\"seats\":[\"left-1-1\"]}"},
		{400, "{\"userId\":\"\\ud800\",\"seats\":[\"left-1-1\"]}"},
		{400, "{\"userId\":\"u\",\"seats\":[\"\xff\xfe\"]}"},
		{400, "{\"userId\":\"u\",\"seats\":[\"\xc0\xaf\"]}"},
		{422, "{}"},
		{422, "{\"userId\":\"u\"}"},
		{422, "{\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":null,\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":7,\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":\"\",\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":\"a b\",\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":\"..\",\"seats\":[\"left-1-1\"]}"},
		{400, "{\"userId\":\"u\\u0000\",\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":\"4242424242424242\",\"seats\":[\"left-1-1\"]}"},
		{422, "{\"userId\":\"u\",\"seats\":[]}"},
		{422, "{\"userId\":\"u\",\"seats\":{}}"},
		{422, "{\"userId\":\"u\",\"seats\":\"left-1-1\"}"},
		{422, "{\"userId\":\"u\",\"seats\":[1]}"},
		{422, "{\"userId\":\"u\",\"seats\":[99999999999999999]}"},
		{422, "{\"userId\":\"u\",\"seats\":[null]}"},
		{422, "{\"userId\":\"u\",\"seats\":[\"\"]}"},
		{422, "{\"userId\":\"u\",\"seats\":[[\"left-1-1\"]]}"},
		{422, "{\"userId\":\"u\",\"seats\":[\"left-1-1\",\"left-1-1\"]}"},
		{422, "{\"userId\":\"u\",\"seats\":[\"left-1-1\",\"nowhere\"]}"},
		{422, "{\"userId\":\"u\",\"seats\":[\"left-1-1\\n\"]}"},
		{422, "{\"userId\":\"u\",\"seats\":[\"' OR 1=1 --\"]}"},
		{422, "{\"userId\":\"u\",\"seats\":[\"left-1-1\"],\"price\":0}"},
		{422,
			"{\"userId\":\"u\",\"seats\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
			"\"8\","
			"\"9\",\"10\",\"11\"]}"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		shop_ask(&server, "POST", holds(), KEY, 0, wrong[i].body);
		if (server.reply.status != wrong[i].status)
			fail_msg("%s: %d: %s", wrong[i].body, server.reply.status,
				server.reply.body);
	}
	want_nothing_happened();
}

static void test_numbers_and_depths_beyond_all_bounds(void **state)
{
	char deep[4096];
	(void)state;
	memset(deep, '[', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	shop_ask(&server, "POST", holds(), KEY, 400, deep);
	shop_ask(&server, "POST", holds(), KEY, 400,
		text("{\"userId\":\"u\",\"seats\":%s1%s}", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
			"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
	shop_ask(&server, "POST", holds(), KEY, 400, "{\"userId\":\"u\",\"seats\":[1e999999999]}");
	shop_ask(&server, "POST", holds(), KEY, 400,
		"{\"userId\":\"u\",\"seats\":[99999999999999999999999999999999999999]}");
	want_nothing_happened();
}

static void test_what_is_unknown_is_named(void **state)
{
	(void)state;
	const json_t *problem =
		shop_hold(&server, "u", "k", "\"left-1-1\",\"left-9-9\",\"x\"", 422);
	const json_t *seats = json_object_get(problem, "seats");
	assert_int_equal(2, json_array_size(seats));
	assert_string_equal("left-9-9", json_string_value(json_array_get(seats, 0)));
	assert_string_equal("/seats", text_in(problem, "pointer"));
	want_nothing_happened();
}

static void test_seats_and_people_of_the_longest_names(void **state)
{
	char name[67];
	(void)state;
	memset(name, 'x', sizeof name);
	name[64] = '\0';
	shop_hold(&server, name, "k", "\"left-1-1\"", 201);
	shop_hold(&server, "u", "k", text("\"%s\"", name), 422);
	name[64] = 'x';
	name[65] = '\0';
	shop_hold(&server, name, "k", "\"left-1-2\"", 422);
	shop_hold(&server, "u", "k", text("\"%s\"", name), 422);
	assert_int_equal(1, shop_count(&server, "?status=held"));
}

static void test_keys(void **state)
{
	char key[300], good[] = "{\"userId\":\"u\",\"seats\":[\"left-1-1\"]}";
	(void)state;
	shop_ask(&server, "POST", holds(), NULL, 400, good);
	shop_ask(&server, "POST", holds(), "Idempotency-Key:\r\n", 400, good);
	shop_ask(&server, "POST", holds(), "Idempotency-Key: a b\r\n", 400, good);
	memset(key, 'k', sizeof key);
	key[256] = '\0';
	shop_ask(&server, "POST", holds(), text("Idempotency-Key: %s\r\n", key), 400, good);
	want_nothing_happened();
	key[255] = '\0';
	shop_ask(&server, "POST", holds(), text("Idempotency-Key: %s\r\n", key), 201, good);
	const char *hold = text("%s", text_in(server.json, "holdId"));
	shop_ask(&server, "POST", text("/holds/%s/purchase", hold), NULL, 400,
		"{\"paymentMethod\":\"pm_visa\"}");
	shop_ask(&server, "POST", text("/holds/%s/purchase", hold),
		text("Idempotency-Key: %s\r\n", key), 200, "{\"paymentMethod\":\"pm_visa\"}");
}

static void test_bodies_of_purchases(void **state)
{
	static const struct {
		int status;
		const char *body;
	} wrong[] = {
		{400, ""},
		{422, "{}"},
		{422, "{\"paymentMethod\":null}"},
		{422, "{\"paymentMethod\":1}"},
		{422, "{\"paymentMethod\":\"\"}"},
		{422, "{\"paymentMethod\":\"pm visa\"}"},
		{422, "{\"paymentMethod\":\"pm_visa\",\"amount\":1}"},
		{422, "{\"paymentMethod\":\"pm_visa\",\"userId\":\"\"}"},
		{422, "{\"paymentMethod\":\"4242424242424242\"}"},
		{422, "{\"paymentMethod\":\"4242 4242 4242 4242\"}"},
		{422, "{\"paymentMethod\":\"pm_visa\",\"userId\":\"4242424242424242\"}"},
		{404, "{\"paymentMethod\":\"pm_visa\",\"userId\":\"eve\"}"},
	};
	(void)state;
	const char *path =
		text("/holds/%s/purchase", shop_held(&server, "ada", "k", "\"left-1-1\""));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		shop_ask(&server, "POST", path, KEY, 0, wrong[i].body);
		if (server.reply.status != wrong[i].status)
			fail_msg("%s: %d: %s", wrong[i].body, server.reply.status,
				server.reply.body);
		assert_null(strstr(server.reply.body, "4242"));
	}
	assert_int_equal(1, shop_count(&server, "?status=held"));
	assert_int_equal(0, fake_orders_paid(shop.orders));
}

static void test_bodies_that_are_too_large_or_of_another_kind(void **state)
{
	static char large[16 << 10];
	(void)state;
	memset(large, ' ', sizeof large - 1);
	memcpy(large, "{\"userId\":\"u\",\"seats\":[\"left-1-1\"]}", 35);
	shop_ask(&server, "POST", holds(), KEY, 413, large);
	shop_ask(&server, "POST", holds(), KEY "Content-Type: text/plain\r\n", 415,
		"{\"userId\":\"u\",\"seats\":[\"left-1-1\"]}");
	shop_ask(&server, "PUT", holds(), KEY, 405, "{}");
	want_nothing_happened();
}

static void test_queries(void **state)
{
	static const char *const wrong[] = {"?status=free", "?status=", "?sections=Left",
		"?section=Left&section=Right", "?section=%ff", "?section=%00"};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		shop_ask(&server, "GET",
			text("/events/%s/seats%s", shop.listing->id_text, wrong[i]), NULL, 400,
			NULL);
	const char *hold = shop_held(&server, "ada", "k", "\"left-1-1\"");
	shop_ask(&server, "DELETE", text("/holds/%s?userId=", hold), NULL, 400, NULL);
	shop_ask(&server, "DELETE", text("/holds/%s?userId=a%%20b", hold), NULL, 400, NULL);
	shop_ask(&server, "DELETE", text("/holds/%s?user=ada", hold), NULL, 400, NULL);
	assert_int_equal(1, shop_count(&server, "?status=held"));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(test_##name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(bodies_of_holds),
		TEST(numbers_and_depths_beyond_all_bounds),
		TEST(what_is_unknown_is_named),
		TEST(seats_and_people_of_the_longest_names),
		TEST(keys),
		TEST(bodies_of_purchases),
		TEST(bodies_that_are_too_large_or_of_another_kind),
		TEST(queries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
