/* kill -9 of everything, under load: servers, Redis (with its data lost, too), PostgreSQL and the
 * payment provider die at random moments while two hundred fans queue, hold and buy through two
 * servers. Afterwards, when all is quiet, `onsale audit` finds nothing, the ledger of the provider
 * included; each hold, order and payment that was acknowledged is there; and whoever looked at the
 * room never saw more people inside than may be.
 *
 * By default a seeded sample of deaths; with ONSALE_FULL a hundred of each kind, in several sales,
 * since one is sold out too soon. */
#include "real-implementation/product_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/postgres/postgres.h"
#include "lib/testkit/random.h"

enum {
	FANS = 100, /* Of each server. */
	ACTIVE_MAX = 60,
	DEATHS = 2, /* Of each kind, in a sale. */
	DEATHS_FULL = 20,
	SALES_FULL = 5,
	PAUSE_MS_MAX = 1500,
	LINE_SIZE = 1024,
	SETTLE_SECONDS = 120,
};

enum victim { SERVER_0, SERVER_1, REDIS, REDIS_DATA, POSTGRES, PROVIDER, VICTIMS };

static const char *const victim_names[VICTIMS] = {
	"server 0", "server 1", "redis", "redis and its data", "postgres", "provider"};

static struct product_fixture product;
static char event[ID_TEXT_SIZE];
static char journals[PRODUCT_SERVERS][64];
static struct process crowds[PRODUCT_SERVERS];
static struct product_observer observer; /* Never are more inside than may be. */

static void import_hall(void)
{
	const char *source = getenv("ONSALE_SOURCE");
	const char *const venue[] = {"import", "venue",
		text("%s/demo/venues/concert-hall.json", source ? source : "."), NULL};
	assert_int_equal(0, product_run(&product, NULL, venue));
}

/* The plan's category names of the large hall, and prices. */
static void import_hall_event(size_t number)
{
	char path[] = "/tmp/onsale-crash-event-XXXXXX", *output;
	FILE *file = fdopen(mkstemp(path), "w");
	assert_non_null(file);
	fprintf(file,
		"{\"venue\":\"Meridian Hall\",\"name\":\"Crash %zu\",\"currency\":\"EUR\","
		"\"startsAt\":\"2099-01-01T20:00:00Z\",\"holdSeconds\":30,"
		"\"prices\":{\"Parterre\":12500,\"Mezzanine\":9800,\"First balcony\":7400,"
		"\"Second balcony\":4200,\"Box\":14500,\"Choir\":3600}}",
		number);
	assert_int_equal(0, fclose(file));
	const char *const import[] = {"import", "event", path, NULL};
	assert_int_equal(0, product_run(&product, &output, import));
	memcpy(event, output + strlen("event "), ID_TEXT_SIZE - 1);
	free(output);
	(void)unlink(path);
}

static int set_up(void **state)
{
	(void)state;
	product_open(&product, NULL);
	import_hall();
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		product_serve(&product, i);
		snprintf(journals[i], sizeof journals[i], "/tmp/onsale-journal-%ld-%zu",
			(long)getpid(), i);
		(void)unlink(journals[i]);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		process_release(&crowds[i]);
	product_close(&product);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		(void)unlink(journals[i]);
	return 0;
}

/* ---- The crowds ---- */

static void start_crowd(size_t server)
{
	const char *build = getenv("ONSALE_BUILD");
	const char *const arguments[] = {
		text("%s/real-implementation/onsale-fans", build ? build : "build/debug"),
		text("--base=http://127.0.0.1:%u", (unsigned)product.ports[server]),
		text("--event=%s", event), text("--fans=%d", FANS), "--seconds=3600",
		"--think-time-min=0ms", "--think-time-max=300ms",
		text("--journal=%s", journals[server]), text("--seed=%zu", server + 1), NULL};
	assert_int_equal(STATUS_OK,
		process_start(&crowds[server],
			&(struct process_options){
				.arguments = arguments, .error_path = "/dev/null"}));
}

/* ---- Deaths ---- */

static void kill_one(enum victim victim)
{
	switch (victim) {
	case SERVER_0:
	case SERVER_1:
		product_kill(&product, (size_t)victim);
		product_launch(&product, (size_t)victim);
		product_await(&product, (size_t)victim);
		break;
	case REDIS:
		assert_int_equal(STATUS_OK, redis_fixture_kill(&product.redis));
		assert_int_equal(STATUS_OK, redis_fixture_start_again(&product.redis));
		break;
	case REDIS_DATA:
		assert_int_equal(STATUS_OK, redis_fixture_empty(&product.redis));
		break;
	case POSTGRES:
		assert_int_equal(STATUS_OK, postgres_fixture_kill(&product.postgres));
		assert_int_equal(STATUS_OK, postgres_fixture_start_again(&product.postgres));
		break;
	case PROVIDER:
		simulator_fixture_kill(&product.simulator);
		assert_int_equal(STATUS_OK, simulator_fixture_start_again(&product.simulator));
		break;
	case VICTIMS:
		break;
	}
}

/* All kinds of deaths, in an order of the seed's. */
static void kill_all(struct random *random, size_t each)
{
	enum victim order[VICTIMS * DEATHS_FULL];
	size_t count = 0;
	for (size_t i = 0; i < each; i++)
		for (int victim = 0; victim < VICTIMS; victim++)
			order[count++] = (enum victim)victim;
	for (size_t i = count - 1; i > 0; i--) {
		size_t j = random_below(random, i + 1);
		enum victim kept = order[i];
		order[i] = order[j];
		order[j] = kept;
	}
	for (size_t i = 0; i < count; i++) {
		pause_for((int64_t)random_below(random, PAUSE_MS_MAX));
		print_message("killed: %s\n", victim_names[order[i]]);
		kill_one(order[i]);
	}
}

/* ---- What was acknowledged ---- */

struct facts {
	size_t holds, orders, paid, lost;
};

static int64_t database_number(struct postgres *pg, const char *sql, const char *item)
{
	struct postgres_result result;
	struct postgres_statement statement = {.name = "", .sql = sql, .effect = POSTGRES_READS};
	/* Names are of statements; each question has one. */
	statement.name = strstr(sql, "seat_holds") ? "hold"
		: strstr(sql, "'paid'")            ? "paid"
						   : "order";
	enum status status = postgres_execute(
		pg, &statement, POSTGRES_PARAMETERS(postgres_text(slice_of(item))), &result);
	assert_int_equal(STATUS_OK, status);
	int64_t number = postgres_get_bigint(&result, 0, 0);
	postgres_result_release(&result);
	return number;
}

/* One line of a journal: something that somebody was told, and that must be so for good. */
static void check_fact(struct postgres *pg, const char *line, struct facts *facts)
{
	static const char hold_sql[] =
		"SELECT count(*) FROM seat_holds WHERE event_id = checkout_key_event($1::text) AND "
		"hold_id = checkout_key_order($1::text)";
	static const char order_sql[] =
		"SELECT count(*) FROM checkout_orders WHERE event_id = "
		"checkout_key_event($1::text) AND order_id = checkout_key_order($1::text)";
	static const char paid_sql[] =
		"SELECT count(*) FROM checkout_orders WHERE event_id = "
		"checkout_key_event($1::text) AND order_id = checkout_key_order($1::text) AND "
		"status IN ('paid', 'refunded')";
	json_t *json = json_loads(line, 0, NULL);
	assert_non_null(json);
	const char *fact = member_text(json, "fact");
	bool there = true;
	if (strcmp(fact, "hold") == 0) {
		facts->holds++;
		there = database_number(pg, hold_sql, member_text(json, "holdId")) == 1;
	} else if (strcmp(fact, "order") == 0) {
		facts->orders++;
		there = database_number(pg, order_sql, member_text(json, "orderId")) == 1;
	} else if (strcmp(fact, "paid") == 0) {
		facts->paid++;
		there = database_number(pg, paid_sql, member_text(json, "orderId")) == 1;
	}
	if (!there) {
		print_message("lost: %s", line);
		facts->lost++;
	}
	json_decref(json);
}

static void check_journals(struct facts *facts)
{
	struct postgres *pg =
		postgres_open(&(struct postgres_options){.url = product.postgres.url});
	assert_non_null(pg);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		char line[LINE_SIZE];
		FILE *file = fopen(journals[i], "r");
		assert_non_null(file);
		while (fgets(line, sizeof line, file))
			check_fact(pg, line, facts);
		fclose(file);
	}
	postgres_close(pg);
}

static void audit_is_clean(void)
{
	char *output;
	const char *const arguments[] = {"audit", text("--settle=%ds", SETTLE_SECONDS),
		text("--ledger-url=%s", product.simulator.url), NULL};
	int code = product_run(&product, &output, arguments);
	if (code != 0) {
		(void)fputs(output, stdout); /* More than a message of cmocka's has room for. */
		fail_msg("onsale audit: %d", code);
	}
	free(output);
}

/* One event, from the first in its queue until those who still want something are called off. */
static void sell_among_deaths(struct random *random, size_t number, size_t deaths)
{
	import_hall_event(number);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		product_wait_ready(&product, i, 200);
	json_decref(product_admin(&product, 0, "PUT", text("/events/%s/waiting-room", event),
		text("{\"state\":\"open\",\"ratePerSecond\":200,\"activeMax\":%d,"
		     "\"claimSeconds\":10,\"heartbeatSeconds\":10,\"sessionSeconds\":60}",
			ACTIVE_MAX),
		201));
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		start_crowd(i);
	product_observe(&observer, &product, event);
	pause_for(2000);
	kill_all(random, deaths);
	pause_for(3000); /* Some more, while everything is there. */
	for (size_t i = 0; i < PRODUCT_SERVERS; i++) {
		process_signal(&crowds[i], SIGTERM);
		assert_int_equal(STATUS_OK, process_wait(&crowds[i], PRODUCT_PATIENCE_MS));
		process_release(&crowds[i]);
	}
	product_observe_end(&observer);
	print_message("at most %lld inside, as seen %lld times\n",
		(long long)atomic_load(&observer.most), (long long)atomic_load(&observer.looks));
	assert_true(atomic_load(&observer.looks) > 0);
	assert_true(atomic_load(&observer.most) <= ACTIVE_MAX);
}

static void test_whatever_dies_nothing_is_lost_and_nothing_sold_twice(void **state)
{
	(void)state;
	struct random random;
	struct facts facts = {0};
	const char *full = getenv("ONSALE_FULL");
	size_t sales = full && *full ? SALES_FULL : 1;
	random_init(&random, random_seed());
	for (size_t i = 0; i < sales; i++)
		sell_among_deaths(&random, i, full && *full ? DEATHS_FULL : DEATHS);
	for (size_t i = 0; i < PRODUCT_SERVERS; i++)
		product_wait_ready(&product, i, 200);
	audit_is_clean();
	check_journals(&facts);
	print_message("acknowledged: %zu holds, %zu orders, %zu paid\n", facts.holds, facts.orders,
		facts.paid);
	assert_int_equal(0, facts.lost);
	assert_true(facts.paid > 0 && facts.holds > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_dies_nothing_is_lost_and_nothing_sold_twice),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
