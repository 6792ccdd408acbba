/* kill -9 before and after each commit and each call to the provider. Afterwards the server is
 * started again, clients ask again with the same keys, and when all is quiet each order was paid
 * exactly once or voided exactly once, and the table agrees with the provider's ledger to the cent.
 *
 * By default a seeded sample of the points and of their pairs: a server that dies at one point, and
 * the next one at another. With ONSALE_FULL all of them; then the pairs are parted among PARTS
 * processes of this program, each with services of its own, since most of the time all of them wait
 * for leases to end. */
#include "tech-two-phase-payments/orders_crowd_fixture.h"

#include <signal.h>

#include "lib/stages/stages.h"
#include "lib/testkit/random.h"

#define SERVER "orders-server-with-points"
#define LEASE "LEASE=1s"

enum {
	ORDERS = 40,
	SAMPLE = 8,
	PAIR_SAMPLE = 8,
	CHAIN = 8, /* Deaths in one run, at most. */
	PARTS = 4,
	PART_MS_MAX = 3600 * 1000,
	KILLS = 4,
	KILLS_FULL = 100,
	DATABASE_KILLS = 3,
	DATABASE_KILLS_FULL = 20,
	POINTS_MAX = 80,
	SEQUENCE_MAX = POINTS_MAX * POINTS_MAX,
	SETTING_SIZE = 80,
};

struct place {
	const char *place, *point;
};

static struct place places[POINTS_MAX];
static size_t place_count;
static size_t deaths;

/* What happens to the server: the settings of each next start, one after the other. */
static const char *next_points[CHAIN + 1];
static size_t next_point;

static void add(const char *place, const char *point)
{
	assert_true(place_count < POINTS_MAX);
	places[place_count++] = (struct place){place, point};
}

static void list_places(void)
{
	static const char *const stages[] = {"authorize", "action", "capture", "ending"};
	static const char *const writes[] = {
		"create", "confirm", "finalize", "cancel", "wake", "expire"};
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
		for (int point = 0; point < STAGE_POINT_COUNT; point++)
			if (point != STAGE_AFTER_RENEW) /* Nothing here takes a lease's time. */
				add(stages[i], stage_point_name((enum stage_point)point));
		add(stages[i], "before-call");
		add(stages[i], "after-call");
		add(stages[i], "after-tell");
	}
	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		add(writes[i], "before-write");
		add(writes[i], "after-write");
	}
}

/* The setting of the server after `slot` deaths. */
static void set_point(size_t slot, struct place place, int count)
{
	static char settings[CHAIN][SETTING_SIZE];
	(void)snprintf(settings[slot], SETTING_SIZE, "ORDERS_POINT=%s %s %d %d", place.place,
		place.point, count, SIGKILL);
	next_points[slot] = settings[slot];
	next_points[slot + 1] = NULL;
}

/* A server that has died is started again, with the next point, or at last with none. */
static void revive(void)
{
	struct process *server = &orders.servers[0];
	if (process_running(server))
		return;
	if (server->exit_code != 128 + SIGKILL)
		fail_msg("the server has ended with %d", server->exit_code);
	deaths++;
	const char *settings[] = {LEASE, next_points[next_point], NULL};
	if (next_points[next_point])
		next_point++;
	orders_start_doomed(0, SERVER, settings);
}

/* Drive a crowd to its end while the server dies as planned, and judge. */
static void run(uint64_t seed)
{
	const char *settings[] = {LEASE, next_points[0], NULL};
	const struct crowd_options options = {.seed = seed, .orders = ORDERS, .servers = 1};
	deaths = 0;
	next_point = next_points[0] ? 1 : 0;
	orders_start_doomed(0, SERVER, settings);
	crowd_start(&options);
	crowd_join(ORDERS_WAIT_MS_MAX, revive);
	while (!process_running(&orders.servers[0]))
		revive();
	/* The last point may not be reached any more; it must not get in the way of what follows.
	 */
	process_kill(&orders.servers[0]);
	orders_start(0, SERVER, (const char *const[]){LEASE, NULL});
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
	orders_stop(0);
}

/* Of a test that goes through several. */
static void begin_anew(void)
{
	assert_int_equal(0, orders_test_tear_down(NULL));
	assert_int_equal(0, orders_test_set_up(NULL));
}

static void shuffle(struct random *random)
{
	place_count = 0;
	list_places();
	random_shuffle(random, places, place_count, sizeof *places);
}

static void killed_at_each_point_each_order_is_paid_or_voided_once(void **state)
{
	(void)state;
	struct random random;
	size_t reached = 0;
	random_init(&random, random_seed());
	shuffle(&random);
	size_t count = orders_is_full() ? place_count : (size_t)SAMPLE;
	for (size_t i = 0; i < count; i++) {
		int at = (int)random_between(&random, 1, 3);
		if (i > 0)
			begin_anew();
		set_point(0, places[i], at);
		run(random_next(&random));
		reached += deaths;
		print_message("killed at %s %s, time %d: %zu\n", places[i].place, places[i].point,
			at, deaths);
	}
	assert_true(reached * 2 >= count); /* Else it proves little. */
}

/* Which part of the pairs this process goes through. */
static size_t part;

/* A cyclic sequence of points in which each follows each, and itself, exactly once: the Lyndon
 * words whose lengths divide two, in their order (Fredricksen and Maiorana, 1978). Returns its
 * length. */
static size_t list_neighbours(size_t sequence[SEQUENCE_MAX])
{
	size_t length = 0;
	for (size_t i = 0; i < place_count; i++) {
		sequence[length++] = i;
		for (size_t j = i + 1; j < place_count; j++) {
			sequence[length++] = i;
			sequence[length++] = j;
		}
	}
	return length;
}

static void killed_at_two_points_each_order_is_paid_or_voided_once(void **state)
{
	(void)state;
	static size_t sequence[SEQUENCE_MAX];
	struct random random;
	size_t missed = 0;
	random_init_stream(&random, random_seed(), 1);
	shuffle(&random);
	size_t length = list_neighbours(sequence);
	if (length == 0) {
		fail_msg("no pair of points");
		return; /* It does not come here, which clang-tidy cannot know. */
	}
	size_t from = length * part / PARTS, to = length * (part + 1) / PARTS;
	size_t pairs = orders_is_full() ? to - from : (size_t)PAIR_SAMPLE;
	/* Servers die one after the other, each at the next point, so that a run goes through
	 * several pairs. Where a point is not reached, the next run begins with it. */
	for (size_t i = 0, step; i < pairs; i += step) {
		size_t count = pairs - i < CHAIN ? pairs - i + 1 : CHAIN;
		/* A sample's runs have nothing in common, lest all be about a point that is seldom
		 * reached. */
		size_t at = orders_is_full() ? from + i : random_below(&random, length);
		if (i > 0)
			begin_anew();
		for (size_t k = 0; k < count; k++)
			set_point(k, places[sequence[(at + k) % length]], 1);
		run(random_next(&random));
		missed += deaths < 2;
		step = deaths > 1 ? deaths - 1 : 1;
		print_message("pairs %zu to %zu of %zu, %zu not reached\n", i + 1, i + step, pairs,
			missed);
	}
	assert_true(missed * 4 <= pairs); /* Else it proves little. */
}

/* When to kill next: some orders further. */
static size_t kill_at, kills_left;
static struct random kill_random;

static void kill_and_revive(void)
{
	size_t done = crowd_done();
	if (kills_left > 0 && done >= kill_at && process_running(&orders.servers[0])) {
		process_kill(&orders.servers[0]);
		kills_left--;
		kill_at = done + (size_t)random_between(&kill_random, 0, 6);
	}
	revive();
}

static void killed_at_any_moment_each_order_is_paid_or_voided_once(void **state)
{
	(void)state;
	random_init_stream(&kill_random, random_seed(), 2);
	size_t kills = orders_is_full() ? KILLS_FULL : KILLS;
	next_points[0] = NULL;
	for (bool first = true; kills > 0; first = false) {
		if (!first)
			begin_anew();
		kills_left = kills < 10 ? kills : 10;
		kills -= kills_left;
		kill_at = 0;
		deaths = next_point = 0;
		const struct crowd_options options = {
			.seed = random_next(&kill_random), .orders = ORDERS, .servers = 1};
		orders_start(0, SERVER, (const char *const[]){LEASE, NULL});
		crowd_start(&options);
		crowd_join(ORDERS_WAIT_MS_MAX, kill_and_revive);
		orders_wait_ready(0); /* It may have been revived this moment. */
		orders_wait_quiet();
		assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
		orders_stop(0);
	}
}

/* The provider itself dies and comes back, too; what it had answered it still knows. */
static void provider_killed_each_order_is_paid_or_voided_once(void **state)
{
	(void)state;
	next_points[0] = NULL;
	const struct crowd_options options = {
		.seed = random_seed(), .orders = ORDERS, .servers = 1};
	orders_start(0, SERVER, (const char *const[]){LEASE, NULL});
	crowd_start(&options);
	for (int i = 0; i < 3; i++) {
		simulator_fixture_kill(&orders.simulator);
		assert_int_equal(STATUS_OK, simulator_fixture_start_again(&orders.simulator));
		orders_pause(100); /* Some orders more, or none; either is well. */
	}
	crowd_join(ORDERS_WAIT_MS_MAX, NULL);
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

/* And so may the database: what it has committed it still knows, and the rest is done again. */
static void database_killed_each_order_is_paid_or_voided_once(void **state)
{
	(void)state;
	size_t kills = orders_is_full() ? DATABASE_KILLS_FULL : DATABASE_KILLS;
	struct random random;
	random_init_stream(&random, random_seed(), 3);
	const struct crowd_options options = {
		.seed = random_next(&random), .orders = ORDERS, .servers = 1};
	orders_start(0, SERVER, (const char *const[]){LEASE, NULL});
	crowd_start(&options);
	for (size_t i = 0; i < kills; i++) {
		size_t done = i * ORDERS / (kills + 1); /* Orders are under way each time. */
		int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX;
		while (crowd_done() < done && orders_now_ms() < end_ms)
			orders_pause(1);
		orders_pause((int64_t)random_below(&random, 50));
		assert_int_equal(STATUS_OK, postgres_fixture_kill(&orders.postgres));
		assert_int_equal(STATUS_OK, postgres_fixture_start_again(&orders.postgres));
	}
	crowd_join(ORDERS_WAIT_MS_MAX, NULL);
	PQfinish(orders.database);
	orders.database = NULL;
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

/* ---- Parts ---- */

#define PART_VARIABLE "ORDERS_CRASH_PART"

static struct process others[PARTS];

static void start_other_parts(void)
{
	for (size_t i = 1; i < PARTS; i++) {
		char own[SETTING_SIZE], seed[SETTING_SIZE];
		(void)snprintf(own, sizeof own, PART_VARIABLE "=%zu", i);
		(void)snprintf(
			seed, sizeof seed, "ONSALE_SEED=%llu", (unsigned long long)random_seed());
		const char *const arguments[] = {"/proc/self/exe", NULL};
		const char *const environment[] = {own, seed, NULL};
		assert_int_equal(STATUS_OK,
			process_start(&others[i],
				&(struct process_options){
					.arguments = arguments, .environment = environment}));
	}
}

static void the_other_parts_have_passed(void **state)
{
	(void)state;
	for (size_t i = 1; i < PARTS; i++) {
		assert_int_equal(STATUS_OK, process_wait(&others[i], PART_MS_MAX));
		char *output = process_output(&others[i]);
		print_message("part %zu: %s", i, output);
		free(output);
		int code = others[i].exit_code;
		process_release(&others[i]);
		assert_int_equal(0, code);
	}
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		ORDERS_TEST(killed_at_each_point_each_order_is_paid_or_voided_once),
		ORDERS_TEST(killed_at_two_points_each_order_is_paid_or_voided_once),
		ORDERS_TEST(killed_at_any_moment_each_order_is_paid_or_voided_once),
		ORDERS_TEST(provider_killed_each_order_is_paid_or_voided_once),
		ORDERS_TEST(database_killed_each_order_is_paid_or_voided_once),
	};
	return cmocka_run_group_tests(tests, orders_set_up, orders_tear_down);
}

static int run_part(void)
{
	const struct CMUnitTest tests[] = {
		ORDERS_TEST(killed_at_two_points_each_order_is_paid_or_voided_once),
	};
	return cmocka_run_group_tests(tests, orders_set_up, orders_tear_down);
}

int main(void)
{
	const struct CMUnitTest parts[] = {cmocka_unit_test(the_other_parts_have_passed)};
	const char *own = getenv(PART_VARIABLE);
	if (own) {
		part = (size_t)strtoul(own, NULL, 10) % PARTS;
		return run_part();
	}
	if (!orders_is_full())
		return run_all();
	start_other_parts();
	int failed = run_all();
	return failed + cmocka_run_group_tests(parts, NULL, NULL);
}
