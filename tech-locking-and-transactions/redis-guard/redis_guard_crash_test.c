/* Processes that die with a seat half taken, and buyers that are killed together with Redis: before
 * the batched store on PostgreSQL.
 *
 * A process is this program itself, called with the URLs of both, the event, what it is to do, and
 * a hold's id or a number. "before" and "after" die in the middle of a hold: before the store was
 * asked, or after its commit. "buy" holds and sells pairs of seats, and prints what it was told. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/redis/redis.h"
#include "lib/testkit/process.h"
#include "lib/testkit/random.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard_fixture.h"
#include "tech-locking-and-transactions/redis-guard/seat_spy_fixture.h"

enum {
	SEATS = 60,
	BUYERS = 3,
	PATIENCE_MS = 60000,
	HOLD_MS = 3600000,
	CALL_MS_MAX = 30000,
	TEXT_SIZE = 64,
	PATH_SIZE = 512,
};

static struct seats_fixture postgres;
static struct redis_fixture redis;
static char program[PATH_SIZE];

static void pause_ms(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A guard with the times that it has by itself, but for one on a machine that is busy. */
static struct seat_store *open_guarded(
	const char *postgres_url, const char *redis_url, struct seat_spy *spy)
{
	struct seat_store *inner, *store;
	struct postgres_seats_options seats = {.url = postgres_url, .call_ms_max = CALL_MS_MAX};
	struct redis_guard_options guard = {.redis_url = redis_url, .call_ms_max = CALL_MS_MAX};
	if (postgres_seats_open(&seats, &inner, NULL) != STATUS_OK ||
		redis_guard_open(seat_spy_init(spy, inner), &guard, &store, NULL) != STATUS_OK)
		exit(2);
	return store;
}

static struct hold_request wish(struct id event, struct id hold, const struct slice seats[])
{
	return (struct hold_request){.event = event,
		.hold = hold,
		.person = slice_of("ann"),
		.seats = seats,
		.seat_count = 2,
		.hold_ms = HOLD_MS};
}

static void name_seats(char names[SEATS][TEXT_SIZE], struct slice seats[SEATS])
{
	for (int i = 0; i < SEATS; i++) {
		snprintf(names[i], TEXT_SIZE, "s-%03d", i);
		seats[i] = slice_of(names[i]);
	}
}

/* ---- the processes ---- */

static void die(void *context)
{
	(void)context;
	kill(getpid(), SIGKILL);
}

static int die_in_the_middle(
	struct seat_store *store, struct seat_spy *spy, struct id event, char **arguments)
{
	char names[SEATS][TEXT_SIZE];
	struct slice seats[SEATS];
	struct id hold;
	struct hold_result result;
	if (!id_parse(slice_of(arguments[5]), &hold))
		return 2;
	name_seats(names, seats);
	if (strcmp(arguments[4], "before") == 0)
		spy->before = die;
	else
		spy->after = die;
	struct hold_request request = wish(event, hold, seats);
	return seat_store_hold(store, &request, &result, 1) == STATUS_OK ? 0 : 1;
}

static void tell(const char *what, struct id hold)
{
	char text[ID_TEXT_SIZE];
	id_format(hold, text);
	printf("%s %s\n", what, text);
	fflush(stdout);
}

static bool buy_pair(struct seat_store *store, struct id event, const struct slice seats[])
{
	struct hold_result held;
	struct sell_result sold;
	struct hold_request request = wish(event, id_new(clock_wall_ms(clock_system())), seats);
	enum status status = STATUS_UNKNOWN;
	for (int i = 0; i < 1000 && status != STATUS_OK; i++)
		status = seat_store_hold(store, &request, &held, 1);
	if (status != STATUS_OK || held.outcome != HOLD_GRANTED)
		return status == STATUS_OK && held.outcome == HOLD_TAKEN;
	tell("held", request.hold);
	struct sell_request sale = {.event = event,
		.hold = request.hold,
		.person = request.person,
		.version = held.version,
		.order = id_new(clock_wall_ms(clock_system()))};
	status = STATUS_UNKNOWN;
	for (int i = 0; i < 1000 && status != STATUS_OK; i++)
		status = seat_store_sell(store, &sale, &sold, 1);
	if (status != STATUS_OK || sold.outcome != SELL_SOLD)
		return false;
	tell("sold", request.hold);
	return true;
}

static int buy(struct seat_store *store, struct id event, char **arguments)
{
	char names[SEATS][TEXT_SIZE];
	struct slice seats[SEATS];
	int order[SEATS - 1];
	struct random random;
	bool good = true;
	name_seats(names, seats);
	for (int i = 0; i < SEATS - 1; i++)
		order[i] = i;
	random_init_stream(&random, random_seed(), strtoull(arguments[5], NULL, 10));
	random_shuffle(&random, order, SEATS - 1, sizeof order[0]);
	for (int i = 0; i < SEATS - 1 && good; i++)
		good = buy_pair(store, event, seats + order[i]);
	return good ? 0 : 1;
}

static int be_process(char **arguments)
{
	struct seat_spy spy;
	struct id event;
	if (!id_parse(slice_of(arguments[3]), &event))
		return 2;
	struct seat_store *store = open_guarded(arguments[1], arguments[2], &spy);
	int code = strcmp(arguments[4], "buy") == 0
		? buy(store, event, arguments)
		: die_in_the_middle(store, &spy, event, arguments);
	seat_store_close(store);
	return code;
}

static void start_process(
	struct process *process, struct id event, const char *what, const char *argument)
{
	char event_text[ID_TEXT_SIZE], seed[TEXT_SIZE];
	id_format(event, event_text);
	snprintf(seed, sizeof seed, "ONSALE_SEED=%" PRIu64, random_seed());
	struct process_options options = {
		.arguments = (const char *const[]){program, postgres.postgres.url, redis.url,
			event_text, what, argument, NULL},
		.environment = (const char *const[]){seed, NULL}};
	assert_int_equal(STATUS_OK, process_start(process, &options));
}

/* ---- the tests ---- */

struct stage {
	struct seat_spy spy;
	struct seat_store *store;
	struct id event, hold;
	char names[SEATS][TEXT_SIZE];
	struct slice seats[SEATS];
};

static void open_stage(struct stage *stage)
{
	struct seat_offer offers[SEATS];
	stage->store = open_guarded(postgres.postgres.url, redis.url, &stage->spy);
	stage->event = id_new(clock_wall_ms(clock_system()));
	stage->hold = id_new(clock_wall_ms(clock_system()));
	name_seats(stage->names, stage->seats);
	for (int i = 0; i < SEATS; i++)
		offers[i] = (struct seat_offer){.seat = stage->seats[i], .price = 100};
	assert_int_equal(STATUS_OK,
		seat_store_stock(stage->store, stage->event, slice_of("EUR"), offers, SEATS));
}

static void close_stage(struct stage *stage)
{
	char message[256];
	const char *violation =
		seats_fixture_judge(&postgres, stage->event, message, sizeof message);
	seat_store_close(stage->store);
	if (violation)
		fail_msg("%s", violation);
}

/* A process asks for the first two seats, and dies on the way. */
static void let_one_die(struct stage *stage, const char *when)
{
	struct process process = {0};
	char hold[ID_TEXT_SIZE];
	open_stage(stage);
	id_format(stage->hold, hold);
	start_process(&process, stage->event, when, hold);
	assert_int_equal(STATUS_OK, process_wait(&process, PATIENCE_MS));
	assert_int_equal(process.exit_code, 128 + SIGKILL);
	process_release(&process);
}

static enum hold_outcome ask(struct stage *stage, struct id hold)
{
	struct hold_request request = wish(stage->event, hold, stage->seats);
	struct hold_result result;
	assert_int_equal(STATUS_OK, seat_store_hold(stage->store, &request, &result, 1));
	return result.outcome;
}

/* For how long the first seat is pending. */
static int64_t pending_ms(const struct stage *stage)
{
	struct redis *eye = redis_open(&(struct redis_options){.url = redis.url});
	struct guard_seat seat = guard_fixture_look(eye, stage->event, "s-000");
	redis_close(eye);
	return seat.left_ms;
}

/* Others are refused for as long as that is so, and then granted the seats. */
static void dead_before_the_store(void **state)
{
	(void)state;
	struct stage stage;
	let_one_die(&stage, "before");
	assert_in_range(pending_ms(&stage), 0, REDIS_GUARD_PENDING_MS_DEFAULT);
	int64_t start_ms = clock_monotonic_ms(clock_system());
	while (ask(&stage, id_new(clock_wall_ms(clock_system()))) != HOLD_GRANTED) {
		assert_true(clock_monotonic_ms(clock_system()) - start_ms < PATIENCE_MS);
		pause_ms(20);
	}
	assert_int_equal(stage.spy.holds, 1);
	assert_true(redis_guard_counts(stage.store).bypassed == 0);
	close_stage(&stage);
}

/* The owner comes back to another server, at once. */
static void dead_before_the_store_and_repeated(void **state)
{
	(void)state;
	struct stage stage;
	let_one_die(&stage, "before");
	assert_int_equal(ask(&stage, stage.hold), HOLD_GRANTED);
	assert_int_equal(ask(&stage, id_new(clock_wall_ms(clock_system()))), HOLD_TAKEN);
	close_stage(&stage);
}

/* The hold is there. Its marks end, and then the store says so to whoever asks. */
static void dead_after_the_commit(void **state)
{
	(void)state;
	struct stage stage;
	let_one_die(&stage, "after");
	while (pending_ms(&stage) > 0)
		pause_ms(20);
	assert_int_equal(ask(&stage, id_new(clock_wall_ms(clock_system()))), HOLD_TAKEN);
	assert_int_equal(stage.spy.holds, 1);
	assert_int_equal(ask(&stage, stage.hold), HOLD_GRANTED);
	close_stage(&stage);
}

/* What was acknowledged has happened: a line of "held" is at least held, one of "sold" is sold. */
static int check_told(struct stage *stage, const struct process *process)
{
	char *output = process_output(process), *rest = output;
	struct arena arena;
	int told = 0;
	arena_init(&arena, 1 << 20);
	for (char *line; (line = strsep(&rest, "\n")) && rest;) {
		struct hold_name name = {.event = stage->event};
		struct hold_record record;
		if (strlen(line) != strlen("held ") + ID_TEXT_SIZE - 1 ||
			!id_parse(slice_of(line + strlen("held ")), &name.hold))
			continue;
		assert_int_equal(
			STATUS_OK, seat_store_look_up(stage->store, &name, &record, 1, &arena));
		bool sold = strncmp(line, "sold", 4) == 0;
		if (record.state != HOLD_SOLD && (sold || record.state != HOLD_LIVE))
			fail_msg("it was told %s, and is %s", line, hold_state_name(record.state));
		told++;
	}
	arena_release(&arena);
	free(output);
	return told;
}

/* One buyer and Redis are killed while all buy, and in each second round Redis forgets everything;
 * the others go on. */
static void kills_leave_nothing_at_odds(void **state)
{
	(void)state;
	int rounds = getenv("ONSALE_FULL") ? 100 : 4;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < rounds; round++) {
		struct process buyers[BUYERS] = {0};
		struct stage stage;
		int told = 0;
		open_stage(&stage);
		for (int i = 0; i < BUYERS; i++) {
			char number[TEXT_SIZE];
			snprintf(number, sizeof number, "%d", round * BUYERS + i);
			start_process(&buyers[i], stage.event, "buy", number);
		}
		/* When is left to chance; that they have begun is not, unless all is over already.
		 */
		bool begun =
			process_wait_line(&buyers[0], "held ", PATIENCE_MS, NULL, 0) == STATUS_OK;
		assert_true(begun || !process_running(&buyers[0]));
		pause_ms(random_between(&random, 0, 40));
		process_kill(&buyers[0]);
		pause_ms(random_between(&random, 0, 40));
		assert_int_equal(STATUS_OK,
			round % 2 == 0 ? redis_fixture_kill(&redis) : redis_fixture_empty(&redis));
		assert_int_equal(STATUS_OK, redis_fixture_start_again(&redis));
		for (int i = 0; i < BUYERS; i++) {
			if (i > 0)
				assert_int_equal(STATUS_OK, process_wait(&buyers[i], PATIENCE_MS));
			assert_true(i == 0 || buyers[i].exit_code == 0);
			told += check_told(&stage, &buyers[i]);
			process_release(&buyers[i]);
		}
		assert_true(told > 0);
		close_stage(&stage);
	}
}

static int start(void **state)
{
	(void)state;
	if (seats_fixture_start(&postgres, "guard-crash", POSTGRES_SEATS_BATCHED) != STATUS_OK)
		return 1;
	return redis_fixture_start(&redis, "guard-crash") == STATUS_OK ? 0 : 1;
}

static int stop(void **state)
{
	(void)state;
	redis_fixture_stop(&redis);
	seats_fixture_stop(&postgres);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6)
		return be_process(argv);
	ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
	if (size < 0)
		return 1;
	program[size] = 0;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_before_the_store),
		cmocka_unit_test(dead_before_the_store_and_repeated),
		cmocka_unit_test(dead_after_the_commit),
		cmocka_unit_test(kills_leave_nothing_at_odds),
	};
	return cmocka_run_group_tests_name("crashes", tests, start, stop);
}
