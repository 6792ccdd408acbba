/* Several processes buy from the same seats, are killed at any moment, and so is PostgreSQL: what
 * was acknowledged is there, and nothing is at odds.
 *
 * A buyer is this program itself, called with the database's URL, the event, a technique and a
 * number. It prints a line for each thing that it was told, before it goes on: "held <hold>",
 * "sold <hold>". */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/testkit/process.h"
#include "lib/testkit/random.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"

enum {
	SEATS = 120,
	BUYERS = 3,
	PATIENCE_MS = 60000,
	HOLD_MS = 3600000,
	TEXT_SIZE = 16,
	PATH_SIZE = 512,
};

static struct seats_fixture fixture;
static char program[PATH_SIZE];

/* ---- the buyer ---- */

struct buyer {
	struct seat_store *store;
	struct id event;
	struct random random;
	int told;
};

static void tell(struct buyer *buyer, const char *what, struct id hold)
{
	char text[ID_TEXT_SIZE];
	id_format(hold, text);
	printf("%s %s\n", what, text);
	fflush(stdout);
	buyer->told++;
}

/* Nobody who is not answered gives up: the same request again. */
static bool hold_until_answered(
	struct buyer *buyer, const struct hold_request *request, struct hold_result *result)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		if (seat_store_hold(buyer->store, request, result, 1) == STATUS_OK)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	return false;
}

static bool sell_until_answered(
	struct buyer *buyer, const struct sell_request *request, struct sell_result *result)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		if (seat_store_sell(buyer->store, request, result, 1) == STATUS_OK)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	return false;
}

static bool buy_pair(struct buyer *buyer, const struct slice seats[])
{
	struct hold_result held;
	struct sell_result sold;
	struct hold_request request = {.event = buyer->event,
		.hold = id_new(clock_wall_ms(clock_system())),
		.person = slice_of("ann"),
		.seats = seats,
		.seat_count = 2,
		.hold_ms = HOLD_MS};
	if (!hold_until_answered(buyer, &request, &held))
		return false;
	if (held.outcome != HOLD_GRANTED)
		return held.outcome == HOLD_TAKEN;
	tell(buyer, "held", request.hold);
	struct sell_request selling = {.event = buyer->event,
		.hold = request.hold,
		.person = request.person,
		.version = held.version,
		.order = id_new(clock_wall_ms(clock_system()))};
	if (!sell_until_answered(buyer, &selling, &sold) || sold.outcome != SELL_SOLD)
		return false;
	tell(buyer, "sold", request.hold);
	return true;
}

/* Try each pair of neighbours, in random order, so that buyers meet often. */
static int be_buyer(char **arguments)
{
	struct buyer buyer = {0};
	enum postgres_seats_technique technique;
	char names[SEATS][TEXT_SIZE];
	struct slice seats[SEATS];
	int order[SEATS - 1];
	struct postgres_seats_options options = {.url = arguments[1], .call_ms_max = 30000};
	if (!id_parse(slice_of(arguments[2]), &buyer.event) ||
		!postgres_seats_technique_parse(slice_of(arguments[3]), &technique))
		return 2;
	options.technique = technique;
	if (postgres_seats_open(&options, &buyer.store, NULL) != STATUS_OK)
		return 2;
	random_init_stream(&buyer.random, random_seed(), strtoull(arguments[4], NULL, 10));
	for (int i = 0; i < SEATS; i++) {
		snprintf(names[i], TEXT_SIZE, "s-%03d", i);
		seats[i] = slice_of(names[i]);
	}
	for (int i = 0; i < SEATS - 1; i++)
		order[i] = i;
	random_shuffle(&buyer.random, order, SEATS - 1, sizeof order[0]);
	bool good = true;
	for (int i = 0; i < SEATS - 1 && good; i++)
		good = buy_pair(&buyer, seats + order[i]);
	seat_store_close(buyer.store);
	puts(good ? "done" : "failed");
	return good ? 0 : 1;
}

/* ---- the test ---- */

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static struct seat_store *put_on_sale(struct id event)
{
	struct seat_store *store;
	char names[SEATS][TEXT_SIZE];
	struct seat_offer offers[SEATS];
	for (int i = 0; i < SEATS; i++) {
		snprintf(names[i], TEXT_SIZE, "s-%03d", i);
		offers[i] = (struct seat_offer){.seat = slice_of(names[i]), .price = 100 + i};
	}
	assert_int_equal(STATUS_OK, seats_fixture_open(&fixture, POSTGRES_SEATS_BATCHED, &store));
	assert_int_equal(STATUS_OK, seat_store_stock(store, event, slice_of("EUR"), offers, SEATS));
	return store;
}

static void start_buyer(struct process *process, struct id event,
	enum postgres_seats_technique technique, int number)
{
	char event_text[ID_TEXT_SIZE], number_text[TEXT_SIZE], seed[2 * TEXT_SIZE + 8];
	id_format(event, event_text);
	snprintf(number_text, sizeof number_text, "%d", number);
	const char *arguments[] = {program, fixture.postgres.url, event_text,
		postgres_seats_technique_name(technique), number_text, NULL};
	snprintf(seed, sizeof seed, "ONSALE_SEED=%" PRIu64, random_seed());
	struct process_options options = {
		.arguments = arguments, .environment = (const char *const[]){seed, NULL}};
	assert_int_equal(STATUS_OK, process_start(process, &options));
}

/* What was acknowledged has happened: a line of "held" is at least held, one of "sold" is sold. */
static int check_told(struct seat_store *store, struct id event, const struct process *process)
{
	char *output = process_output(process), *rest = output;
	struct arena arena;
	int told = 0;
	arena_init(&arena, 1 << 20);
	for (char *line; (line = strsep(&rest, "\n")) && rest;) {
		struct hold_name name = {.event = event};
		struct hold_record record;
		if (strlen(line) != strlen("held ") + ID_TEXT_SIZE - 1 ||
			!id_parse(slice_of(line + strlen("held ")), &name.hold))
			continue;
		assert_int_equal(STATUS_OK, seat_store_look_up(store, &name, &record, 1, &arena));
		bool sold = strncmp(line, "sold", 4) == 0;
		if (record.state != HOLD_SOLD && (sold || record.state != HOLD_LIVE))
			fail_msg("it was told %s, and is %s", line, hold_state_name(record.state));
		told++;
	}
	arena_release(&arena);
	free(output);
	return told;
}

static void judge(struct id event)
{
	char message[256];
	const char *violation = seats_fixture_judge(&fixture, event, message, sizeof message);
	if (violation)
		fail_msg("%s", violation);
}

static void processes_share_the_seats(void **state)
{
	(void)state;
	for (int technique = 0; technique < POSTGRES_SEATS_TECHNIQUE_COUNT; technique++) {
		struct process buyers[BUYERS] = {0};
		struct id event = id_new(clock_wall_ms(clock_system()));
		struct seat_store *store = put_on_sale(event);
		int told = 0;
		for (int i = 0; i < BUYERS; i++)
			start_buyer(&buyers[i], event, (enum postgres_seats_technique)technique, i);
		for (int i = 0; i < BUYERS; i++) {
			assert_int_equal(STATUS_OK, process_wait(&buyers[i], PATIENCE_MS));
			assert_int_equal(buyers[i].exit_code, 0);
			told += check_told(store, event, &buyers[i]);
			process_release(&buyers[i]);
		}
		assert_in_range(told, 2 * SEATS / 4, SEATS);
		judge(event);
		seat_store_close(store);
	}
}

/* One buyer and the database are killed while all buy; the others go on. */
static void kills_leave_nothing_at_odds(void **state)
{
	(void)state;
	int rounds = getenv("ONSALE_FULL") ? 100 : 2;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < rounds; round++) {
		struct process buyers[BUYERS] = {0};
		struct id event = id_new(clock_wall_ms(clock_system()));
		struct seat_store *store = put_on_sale(event);
		enum postgres_seats_technique technique =
			(enum postgres_seats_technique)(round % POSTGRES_SEATS_TECHNIQUE_COUNT);
		for (int i = 0; i < BUYERS; i++)
			start_buyer(&buyers[i], event, technique, round * BUYERS + i);
		/* When is left to chance; that they have begun is not. On a busy machine the others
		 * may have bought everything before this one began; then it has ended already. */
		bool begun =
			process_wait_line(&buyers[0], "held ", PATIENCE_MS, NULL, 0) == STATUS_OK;
		assert_true(begun || !process_running(&buyers[0]));
		pause_ms(random_between(&random, 0, 40));
		process_kill(&buyers[0]);
		pause_ms(random_between(&random, 0, 40));
		assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture.postgres));
		assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture.postgres));
		for (int i = 1; i < BUYERS; i++)
			assert_int_equal(STATUS_OK, process_wait(&buyers[i], PATIENCE_MS));
		seat_store_close(store);
		assert_int_equal(
			STATUS_OK, seats_fixture_open(&fixture, POSTGRES_SEATS_BATCHED, &store));
		for (int i = 0; i < BUYERS; i++) {
			assert_true(i == 0 || buyers[i].exit_code == 0);
			check_told(store, event, &buyers[i]);
			process_release(&buyers[i]);
		}
		judge(event);
		seat_store_close(store);
	}
}

static int start(void **state)
{
	(void)state;
	return seats_fixture_start(&fixture, "crash", POSTGRES_SEATS_BATCHED) == STATUS_OK ? 0 : 1;
}

static int stop(void **state)
{
	(void)state;
	seats_fixture_stop(&fixture);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5)
		return be_buyer(argv);
	ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
	if (size < 0)
		return 1;
	program[size] = 0;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_share_the_seats),
		cmocka_unit_test(kills_leave_nothing_at_odds),
	};
	return cmocka_run_group_tests_name("processes", tests, start, stop);
}
