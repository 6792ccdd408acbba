/* What the product's tests look for is seen when it is there: each guard is switched off, and what
 * a test relies on must then say so.
 *
 *	4  a waiting room that admits one too many: who looks at the room sees it
 *	7  a key that is forgotten: who repeats a request is not told the same
 *
 * Those of invariants 1, 2 and 8 are in product_audit_test.c. */
#include <stdatomic.h>
#include <stdio.h>

#include "lib/postgres/postgres.h"
#include "real-implementation/product_fixture.h"

enum { ACTIVE_MAX = 5, CROWD = 20 };

static struct product_fixture product;

static int set_up(void **state)
{
	(void)state;
	product_open(&product, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	product_close(&product);
	return 0;
}

/* Twenty people before a room for five: how many were seen inside at most. */
static int64_t most_inside(const char *program, const char *name)
{
	char event[ID_TEXT_SIZE];
	struct product_observer observer;
	struct person people[CROWD];
	product.program = program;
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		product_serve(&product, i);
	product_import_event(&product, text("\"name\":\"%s\"", name), event);
	json_decref(product_admin(&product, 0, "PUT", text("/events/%s/waiting-room", event),
		text("{\"state\":\"open\",\"ratePerSecond\":1000,\"activeMax\":%d}", ACTIVE_MAX),
		201));
	product_observe(&observer, &product, event);
	for (size_t i = 0; i < CROWD; i++) {
		person_new(&people[i], &product, i % PRODUCT_SERVERS);
		person_want(&people[i], "POST", text("/events/%s/waiting-room", event), NULL, NULL,
			"{}", 201);
	}
	int64_t deadline_ms = now_monotonic_ms() + PRODUCT_PATIENCE_MS;
	while (atomic_load(&observer.most) < ACTIVE_MAX && now_monotonic_ms() < deadline_ms)
		pause_for(20);
	pause_for(1500); /* Nobody claims or leaves, so nobody else may come in. */
	product_observe_end(&observer);
	for (size_t i = 0; i < CROWD; i++)
		person_release(&people[i]);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		product_stop(&product, i);
	return atomic_load(&observer.most);
}

static void test_one_too_many_inside_is_seen(void **state)
{
	(void)state;
	assert_int_equal(ACTIVE_MAX, most_inside("onsale", "Guarded"));
	assert_int_equal(ACTIVE_MAX + 1, most_inside("onsale-unguarded", "Unguarded"));
}

/* What keeps answers is switched off. */
static void forget_keys(void)
{
	static const struct postgres_statement forget = {
		.name = "forget", .sql = "DELETE FROM idempotency_keys"};
	struct postgres *pg =
		postgres_open(&(struct postgres_options){.url = product.postgres.url});
	assert_non_null(pg);
	assert_int_equal(STATUS_OK, postgres_execute(pg, &forget, POSTGRES_NO_PARAMETERS, NULL));
	postgres_close(pg);
}

/* Whether somebody who repeats the order of a hold is told the same. */
static bool told_the_same(const char *event, bool forgetful)
{
	char body[512];
	struct person ada;
	person_new(&ada, &product, 0);
	json_t *hold = person_ask(&ada, "POST", text("/events/%s/holds", event), "hold", NULL,
		"{\"best\":{\"quantity\":1}}", 201);
	(void)snprintf(body, sizeof body, "{\"holdId\":\"%s\"}", member_text(hold, "holdId"));
	json_decref(hold);
	json_t *first = person_ask(&ada, "POST", "/orders", "order", NULL, body, 201);
	if (forgetful)
		forget_keys();
	int status = person_try(&ada, "POST", "/orders", "order", NULL, body);
	json_t *again = http_client_reply_json(&ada.reply);
	bool same = status == 201 && json_equal(first, again);
	json_decref(first);
	json_decref(again);
	person_release(&ada);
	return same;
}

static void test_another_answer_is_seen(void **state)
{
	char event[ID_TEXT_SIZE];
	(void)state;
	product.program = NULL;
	product_serve(&product, 0);
	product_import_event(&product, "\"name\":\"Again\"", event);
	assert_true(told_the_same(event, false));
	assert_false(told_the_same(event, true));
	product_stop(&product, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_too_many_inside_is_seen),
		cmocka_unit_test(test_another_answer_is_seen),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
