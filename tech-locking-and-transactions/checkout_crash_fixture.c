/* See checkout_crash_fixture.h.
 *
 * There are ORDERS purchases of as many holds, whose ids follow from an event's, so that every
 * process knows them. By their number they are paid, declined, never proved, or lose their
 * reservation. */
#include "tech-locking-and-transactions/checkout_crash_fixture.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/testkit/random.h"

enum {
	ORDERS = 24,
	KINDS = 4,
	SHORT_MS = 2500, /* Of a hold whose buyer never proves who they are. */
	LONG_MS = 3600000,
	BATCH = 6,
	PATIENCE_MS = 120000,
	OPENING_MS = 60000,
	POINTS_MAX = 80,
	SAMPLE = 8,
	PAIRS = 2,
	PAIRS_FULL = 60,
	KILLS = 3,
	KILLS_FULL = 100,
	TEXT_SIZE = 512,
	ARENA_MAX = 8 << 20,
};

enum kind { GOOD, DECLINED, UNPROVED, REVOKED };

static const char *const methods[KINDS] = {
	[GOOD] = "pm_card_visa",
	[DECLINED] = "pm_card_visa_chargeDeclined",
	[UNPROVED] = "pm_card_authenticationRequired",
	[REVOKED] = "pm_card_visa",
};

static const struct checkout_subject *subject;
static struct checkout_fixture fixture;
static char program[TEXT_SIZE];

static void pause_ms(int64_t ms)
{
	(void)nanosleep(
		&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool is_full(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0;
}

/* The event's id with another kind of byte and number in it. */
static struct id id_of(struct id event, uint8_t what, int number)
{
	event.bytes[9] = what;
	event.bytes[15] = (uint8_t)number;
	return event;
}

static struct buy_request request_of(struct id event, int number)
{
	enum kind kind = (enum kind)(number % KINDS);
	return (struct buy_request){.event = event,
		.hold = id_of(event, 'h', number),
		.person = slice_of("ann"),
		.order = id_of(event, 'o', number),
		.payment_method = slice_of(methods[kind])};
}

/* ---- the process that buys ---- */

/* What is over is told, once. */
static size_t tell(const struct buy_result results[], int first, size_t count, bool told[])
{
	size_t open = 0;
	for (size_t i = 0; i < count; i++) {
		int number = first + (int)i;
		enum buy_outcome outcome = results[i].outcome;
		if (outcome == BUY_PENDING || outcome == BUY_REQUIRES_ACTION) {
			open++;
		} else if (!told[number]) {
			told[number] = true;
			printf("over %d %s\n", number, buy_outcome_name(outcome));
			(void)fflush(stdout);
		}
	}
	return open;
}

/* A buyer may begin while the database is being restarted: who begins waits for it. */
static enum status open_checkout(const struct checkout_places *places, struct checkout **checkout)
{
	struct checkout_orders *orders = NULL;
	struct fault fault;
	enum status status = STATUS_UNAVAILABLE;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + OPENING_MS;
	while (status != STATUS_OK && clock_monotonic_ms(clock_system()) < end_ms) {
		status = orders ? STATUS_OK : checkout_fixture_engine(subject, places, &orders);
		if (status == STATUS_OK)
			status = subject->open(places, orders, checkout, &fault);
		if (status != STATUS_OK)
			pause_ms(50);
	}
	return status;
}

static int be_buyer(char **arguments)
{
	struct checkout_places places = {.seats_url = arguments[1],
		.orders_url = arguments[2],
		.provider_url = arguments[3],
		.provider_key = arguments[4],
		.wait_ms = 300,
		.lease_ms = 1000};
	struct checkout *checkout;
	struct id event;
	struct arena arena;
	bool told[ORDERS] = {false};
	json_object_seed(0);
	if (!id_parse(slice_of(arguments[5]), &event) ||
		open_checkout(&places, &checkout) != STATUS_OK)
		return 2;
	arena_init(&arena, ARENA_MAX);
	for (size_t open = 1; open > 0;) {
		open = 0;
		for (int first = 0; first < ORDERS; first += BATCH) {
			struct buy_request requests[BATCH];
			struct buy_result results[BATCH];
			for (int i = 0; i < BATCH; i++)
				requests[i] = request_of(event, first + i);
			arena_reset(&arena);
			enum status status =
				checkout_buy(checkout, requests, results, BATCH, &arena);
			open += status == STATUS_OK ? tell(results, first, BATCH, told) : 1;
			if (status != STATUS_OK)
				pause_ms(50);
		}
	}
	printf("done\n");
	(void)fflush(stdout);
	for (;;) /* What is to be undone is undone by the stages, until the test has seen it. */
		pause_ms(LONG_MS);
}

/* ---- the run ---- */

static struct {
	struct id event;
	struct process buyers[2];
	int buyer_count;
	char outcomes[ORDERS][32]; /* What somebody was told; empty: nobody. */
	const char *points[4];     /* Of each next start. */
	size_t next_point;
	size_t deaths;
	bool captures_slip; /* Some of kind REVOKED may be paid before they lose it. */
	const char *seats_url, *orders_url; /* What buyers are given. */
} run;

static void put_on_sale(void)
{
	struct seat_store *store;
	char names[ORDERS][16];
	struct seat_offer offers[ORDERS];
	struct hold_request requests[ORDERS];
	struct hold_result held[ORDERS];
	struct slice seats[ORDERS];
	const struct seat_store_factory *factory = &fixture.seats.factory;
	run.event = id_new(clock_wall_ms(clock_system()));
	assert_int_equal(STATUS_OK, factory->open(factory->context, &store));
	for (int i = 0; i < ORDERS; i++) {
		(void)snprintf(names[i], sizeof names[i], "s-%03d", i);
		seats[i] = slice_of(names[i]);
		offers[i] = (struct seat_offer){.seat = seats[i], .price = 100 + i};
		requests[i] = (struct hold_request){.event = run.event,
			.hold = request_of(run.event, i).hold,
			.person = slice_of("ann"),
			.seats = &seats[i],
			.seat_count = 1,
			.hold_ms = i % KINDS == UNPROVED ? SHORT_MS : LONG_MS};
	}
	assert_int_equal(
		STATUS_OK, seat_store_stock(store, run.event, slice_of("EUR"), offers, ORDERS));
	assert_int_equal(STATUS_OK, seat_store_hold(store, requests, held, ORDERS));
	seat_store_close(store);
}

static void start_buyer(int index)
{
	char event[ID_TEXT_SIZE];
	id_format(run.event, event);
	const char *arguments[] = {program, run.seats_url, run.orders_url,
		fixture.places.provider_url, fixture.places.provider_key, event, NULL};
	const char *environment[] = {"ORDERS_POINT", NULL};
	if (run.points[run.next_point])
		environment[0] = run.points[run.next_point++];
	assert_int_equal(STATUS_OK,
		process_start(&run.buyers[index],
			&(struct process_options){
				.arguments = arguments, .environment = environment}));
}

/* Keep what it has told; nobody may be told something else. */
static void hear(struct process *buyer)
{
	char *output = process_output(buyer), *rest = output;
	for (char *line; (line = strsep(&rest, "\n")) && rest;) {
		char outcome[32];
		int number;
		if (sscanf(line, "over %d %31[a-z ]", &number, outcome) != 2)
			continue;
		assert_in_range(number, 0, ORDERS - 1);
		if (run.outcomes[number][0] == '\0')
			(void)snprintf(run.outcomes[number], 32, "%s", outcome);
		else if (strcmp(run.outcomes[number], outcome) != 0)
			fail_msg("order %d was told %s, and now %s", number, run.outcomes[number],
				outcome);
	}
	free(output);
}

static void revive(void)
{
	for (int i = 0; i < run.buyer_count; i++) {
		struct process *buyer = &run.buyers[i];
		if (process_running(buyer))
			continue;
		if (buyer->exit_code != 128 + SIGKILL)
			fail_msg("a buyer has ended with %d", buyer->exit_code);
		run.deaths++;
		hear(buyer);
		process_release(buyer);
		start_buyer(i);
	}
}

/* ---- those whose reservation is lost ---- */

/* Cancel the payments of the orders of kind REVOKED behind everybody's back, once they are
 * authorized. Returns how many are so far. */
static int lose_reservations(void)
{
	int lost = 0;
	size_t i;
	json_t *ledger = simulator_fixture_ledger(&fixture.simulator), *item;
	char event[ID_TEXT_SIZE];
	id_format(run.event, event);
	json_array_foreach(json_object_get(ledger, "items"), i, item)
	{
		const char *key = json_string_value(
			json_object_get(json_object_get(item, "metadata"), "order_id"));
		const char *kind = json_string_value(json_object_get(item, "kind"));
		struct id order;
		char path[TEXT_SIZE], header[TEXT_SIZE];
		if (!key || strncmp(key, event, strlen(event)) != 0 ||
			strcmp(kind, "authorization") != 0 ||
			!id_parse(slice_of(key + ID_TEXT_SIZE), &order) ||
			order.bytes[15] % KINDS != REVOKED)
			continue;
		(void)snprintf(path, sizeof path, "/v1/payment_intents/%s/cancel",
			json_string_value(json_object_get(item, "paymentIntent")));
		(void)snprintf(header, sizeof header, "Idempotency-Key: lose-%s\r\n", key);
		int status = simulator_fixture_ask(&fixture.simulator, path, header, "");
		lost += status == 200 || run.captures_slip;
	}
	json_decref(ledger);
	return lost;
}

/* Nothing is captured before those that are to lose their reservation have lost it. */
static void hold_captures_back(void)
{
	json_decref(simulator_fixture_fault(&fixture.simulator,
		"{\"fault\":\"rate_limited\",\"operation\":\"capture\",\"rate\":1}"));
}

static void begin(int buyer_count)
{
	put_on_sale();
	memset(run.outcomes, 0, sizeof run.outcomes);
	run.next_point = 0;
	run.deaths = 0;
	run.captures_slip = false;
	run.buyer_count = buyer_count;
	run.seats_url = fixture.places.seats_url;
	run.orders_url = fixture.places.orders_url;
	hold_captures_back();
}

static int64_t end_of_patience(void)
{
	return clock_monotonic_ms(clock_system()) + PATIENCE_MS;
}

static void finish_losing(void)
{
	int64_t end_ms = end_of_patience();
	while (lose_reservations() < ORDERS / KINDS) {
		revive();
		assert_true(clock_monotonic_ms(clock_system()) < end_ms);
		pause_ms(20);
	}
	simulator_fixture_clear_faults(&fixture.simulator);
}

static bool is_done(const struct process *buyer)
{
	char *output = process_output(buyer);
	bool done = strstr(output, "done\n") != NULL;
	free(output);
	return done;
}

static void expect_outcomes(void)
{
	static const enum buy_outcome wanted[KINDS] = {[GOOD] = BUY_PAID,
		[DECLINED] = BUY_DECLINED,
		[UNPROVED] = BUY_EXPIRED,
		[REVOKED] = BUY_DECLINED};
	for (int i = 0; i < ORDERS; i++)
		if (i % KINDS != REVOKED || !run.captures_slip)
			assert_string_equal(buy_outcome_name(wanted[i % KINDS]), run.outcomes[i]);
}

/* Wait until every buyer is through, revive those that die, and judge. */
static void finish(void)
{
	char message[TEXT_SIZE] = "";
	int64_t end_ms = end_of_patience();
	finish_losing();
	for (int done = 0; done < run.buyer_count;) {
		assert_true(clock_monotonic_ms(clock_system()) < end_ms);
		pause_ms(20);
		revive();
		done = 0;
		for (int i = 0; i < run.buyer_count; i++)
			done += is_done(&run.buyers[i]);
	}
	/* A point of undoing may be reached after that. */
	while (!checkout_fixture_wait_quiet(&fixture))
		fail_msg("it does not come to rest");
	revive();
	assert_true(checkout_fixture_wait_quiet(&fixture));
	for (int i = 0; i < run.buyer_count; i++) {
		hear(&run.buyers[i]);
		process_kill(&run.buyers[i]);
		process_release(&run.buyers[i]);
	}
	const char *violation =
		checkout_fixture_judge(&fixture, run.event, message, sizeof message);
	if (violation)
		fail_msg("%s", violation);
	expect_outcomes();
}

/* ---- the points ---- */

struct place {
	const char *place, *point;
};

static struct place places[POINTS_MAX];
static size_t place_count;

static void add(const char *place, const char *point)
{
	assert_true(place_count < POINTS_MAX);
	places[place_count++] = (struct place){place, point};
}

static void list_places(struct random *random)
{
	static const char *const stages[] = {
		"authorize", "action", "capture", "ending", "sell", "revoke"};
	size_t count = sizeof stages / sizeof *stages - (subject->has_orders_apart ? 0 : 1);
	place_count = 0;
	for (size_t i = 0; i < count; i++) {
		for (int point = 0; point < STAGE_POINT_COUNT; point++)
			if (point != STAGE_AFTER_RENEW) /* Nothing here takes a lease's time. */
				add(stages[i], stage_point_name((enum stage_point)point));
		add(stages[i], "before-call");
		add(stages[i], "after-call");
		if (strcmp(stages[i], "revoke") != 0)
			add(stages[i], "after-tell");
	}
	add("buy", "before-write");
	add("buy", "after-write");
	random_shuffle(random, places, place_count, sizeof *places);
}

static const char *setting(size_t slot, struct place place, int count)
{
	static char settings[4][TEXT_SIZE];
	(void)snprintf(settings[slot], TEXT_SIZE, "ORDERS_POINT=%s %s %d %d", place.place,
		place.point, count, SIGKILL);
	return settings[slot];
}

static void killed_at_each_point(void **state)
{
	(void)state;
	struct random random;
	size_t reached = 0;
	random_init(&random, random_seed());
	list_places(&random);
	size_t count = is_full() ? place_count : (size_t)SAMPLE;
	for (size_t i = 0; i < count; i++) {
		int at = (int)random_between(&random, 1, 3);
		run.points[0] = setting(0, places[i], at);
		run.points[1] = NULL;
		begin(1);
		start_buyer(0);
		finish();
		reached += run.deaths > 0;
		print_message("killed at %s %s, time %d: %zu\n", places[i].place, places[i].point,
			at, run.deaths);
	}
	assert_true(reached * 2 >= count); /* Else it proves little. */
}

static void killed_at_two_points(void **state)
{
	(void)state;
	struct random random;
	random_init_stream(&random, random_seed(), 1);
	for (size_t i = 0; i < (is_full() ? PAIRS_FULL : PAIRS); i++) {
		list_places(&random);
		run.points[0] = setting(0, places[0], 1);
		run.points[1] = setting(1, places[1], 1);
		run.points[2] = NULL;
		begin(1);
		start_buyer(0);
		finish();
		print_message("killed at %s %s, then %s %s: %zu\n", places[0].place,
			places[0].point, places[1].place, places[1].point, run.deaths);
	}
}

/* ---- at any moment ---- */

static void restart_seats(void)
{
	assert_int_equal(STATUS_OK, fixture.factory.restart_seats(&fixture));
}

static void restart_orders(void)
{
	assert_int_equal(STATUS_OK, fixture.factory.restart_orders(&fixture));
}

static void restart_provider(void)
{
	simulator_fixture_kill(&fixture.simulator);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&fixture.simulator));
	hold_captures_back(); /* It has forgotten its faults. */
	run.captures_slip = true;
}

static void kill_buyer(void)
{
	process_kill(&run.buyers[0]);
	run.deaths++;
	hear(&run.buyers[0]);
	process_release(&run.buyers[0]);
	start_buyer(0);
}

/* Two processes buy the same, and something is killed some times while they do. */
static void kill_something(void (*kill_it)(void), uint64_t stream)
{
	struct random random;
	random_init_stream(&random, random_seed(), stream);
	run.points[0] = NULL;
	for (int kills = is_full() ? KILLS_FULL : KILLS; kills > 0;) {
		begin(2);
		start_buyer(0);
		start_buyer(1);
		for (int i = 0; i < KILLS && kills > 0; i++, kills--) {
			pause_ms(random_between(&random, 0, 400));
			kill_it();
		}
		finish();
	}
}

static void buyers_killed_at_any_moment(void **state)
{
	(void)state;
	kill_something(kill_buyer, 2);
}

static void seats_killed_at_any_moment(void **state)
{
	(void)state;
	kill_something(restart_seats, 3);
}

static void orders_killed_at_any_moment(void **state)
{
	(void)state;
	if (subject->has_orders_apart)
		kill_something(restart_orders, 4);
}

static void provider_killed_at_any_moment(void **state)
{
	(void)state;
	kill_something(restart_provider, 5);
}

/* Committed, and nobody is told so. */
static void answers_to_commit_lost(void **state)
{
	(void)state;
	static const char *const statements[] = {"checkout_take", "stage_claim", "stage_move",
		"stage_move", "stage_move", "batched_sell", "seats_revoke"};
	struct fault_proxy *seats = fault_proxy_open(fixture.places.seats_url);
	struct fault_proxy *orders = fault_proxy_open(fixture.places.orders_url);
	assert_true(seats && orders);
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		bool of_seats = i >= 5;
		struct fault_proxy *proxy = of_seats ? seats : orders;
		if (of_seats && !subject->has_orders_apart)
			break;
		int64_t lost = fault_proxy_lost_count(proxy);
		run.points[0] = NULL;
		begin(1);
		run.seats_url = fault_proxy_url(seats);
		run.orders_url = fault_proxy_url(orders);
		fault_proxy_lose_reply(proxy, slice_of(statements[i]));
		start_buyer(0);
		finish();
		assert_int_equal(lost + 1, fault_proxy_lost_count(proxy));
	}
	fault_proxy_close(seats);
	fault_proxy_close(orders);
}

/* ---- the program ---- */

static int start(void **state)
{
	(void)state;
	char name[64];
	(void)snprintf(name, sizeof name, "%s-c", subject->name);
	return checkout_fixture_start(&fixture, subject, name, CHECKOUT_FIXTURE_BARE) == STATUS_OK
		? 0
		: -1;
}

static int stop(void **state)
{
	(void)state;
	checkout_fixture_stop(&fixture);
	return 0;
}

static int release_buyers(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		process_release(&run.buyers[i]);
	return 0;
}

#define CRASH_TEST(test_) cmocka_unit_test_teardown(test_, release_buyers)

int checkout_crash_main(const struct checkout_subject *tested, int argc, char **argv)
{
	subject = tested;
	if (argc == 6)
		return be_buyer(argv);
	ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
	if (size < 0)
		return 1;
	program[size] = '\0';
	const struct CMUnitTest tests[] = {
		CRASH_TEST(killed_at_each_point),
		CRASH_TEST(killed_at_two_points),
		CRASH_TEST(buyers_killed_at_any_moment),
		CRASH_TEST(seats_killed_at_any_moment),
		CRASH_TEST(orders_killed_at_any_moment),
		CRASH_TEST(provider_killed_at_any_moment),
		CRASH_TEST(answers_to_commit_lost),
	};
	return cmocka_run_group_tests_name("crashes", tests, start, stop);
}
