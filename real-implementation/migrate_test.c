/* migrate.c: an empty database, one that is current, two who migrate at once, a crash within a
 * step, databases that are newer or other, and what the trigger of seats writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/testkit/postgres_fixture.h"
#include "real-implementation/migrate.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"

enum { PATIENCE_MS = 60000, STEP_COUNT = 3 };

static struct postgres_fixture fixture;
static struct postgres *pg;
static int database_count;
static char url[sizeof fixture.url + 32];

static const struct migrate_step steps[STEP_COUNT] = {
	{1, "first", "CREATE TABLE first (n integer); INSERT INTO first VALUES (1)"},
	{5, "second", "CREATE TABLE second (n integer)"},
	{6, "third", "INSERT INTO first VALUES (3)"},
};

static struct postgres *connect_to(const char *address)
{
	struct postgres *made = postgres_open(&(struct postgres_options){.url = address,
		.application_name = "migrate_test",
		.clock = clock_system(),
		.connect_ms_max = PATIENCE_MS,
		.call_ms_max = PATIENCE_MS});
	assert_non_null(made);
	return made;
}

static int start(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "migrate") == STATUS_OK ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	postgres_fixture_stop(&fixture);
	return 0;
}

/* Each test has an empty database of its own. */
static int begin(void **state)
{
	char sql[64];
	(void)state;
	struct postgres *admin = connect_to(fixture.url);
	snprintf(sql, sizeof sql, "CREATE DATABASE test%d", ++database_count);
	struct postgres_statement create = {.name = "create", .sql = sql};
	assert_int_equal(STATUS_OK, postgres_execute(admin, &create, POSTGRES_NO_PARAMETERS, NULL));
	postgres_close(admin);
	const char *end = strrchr(fixture.url, '/');
	snprintf(url, sizeof url, "%.*s/test%d", (int)(end - fixture.url), fixture.url,
		database_count);
	pg = connect_to(url);
	return 0;
}

static int end(void **state)
{
	(void)state;
	postgres_close(pg);
	return 0;
}

static int64_t number(const char *sql)
{
	static int count;
	static char names[256][16];
	struct postgres_result result;
	assert_true(count < 256);
	snprintf(names[count], sizeof names[count], "n%d", count);
	struct postgres_statement statement = {.name = names[count++], .sql = sql};
	assert_int_equal(
		STATUS_OK, postgres_execute(pg, &statement, POSTGRES_NO_PARAMETERS, &result));
	assert_int_equal(1, result.row_count);
	int64_t value = postgres_get_bigint(&result, 0, 0);
	postgres_result_release(&result);
	return value;
}

static void script(const char *sql)
{
	assert_int_equal(STATUS_OK, postgres_run_script(pg, sql));
}

static enum status apply(size_t count, struct migrate_report *report, struct fault *fault)
{
	return migrate_apply(url, PATIENCE_MS, steps, count, report, fault);
}

static void the_product_is_migrated_once(void **state)
{
	struct migrate_report report;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_REFUSED, migrate_check(pg, &fault));
	assert_non_null(strstr(fault.what, "run `onsale migrate`"));
	assert_int_equal(STATUS_OK, migrate(url, PATIENCE_MS, &report, &fault));
	assert_int_equal(0, report.version_before);
	assert_int_equal(migrate_step_count, report.applied_count);
	int32_t newest = migrate_steps[migrate_step_count - 1].version;
	assert_int_equal(newest, report.version);
	assert_int_equal(STATUS_OK, migrate_check(pg, &fault));
	assert_int_equal(STATUS_OK, migrate(url, PATIENCE_MS, &report, &fault));
	assert_int_equal(newest, report.version_before);
	assert_int_equal(newest, report.version);
	assert_int_equal(0, report.applied_count);
	assert_int_equal(migrate_step_count, number("SELECT count(*) FROM schema_migrations"));
	assert_int_equal(0, number("SELECT count(*) FROM events"));
}

/* An adapter may have been there first, with its tables. */
static void what_an_adapter_has_made_is_kept(void **state)
{
	struct postgres_seats_options options = {.url = url};
	struct migrate_report report;
	struct seat_store *store;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_OK, postgres_seats_open(&options, &store, &fault));
	store->ops->close(store);
	script("INSERT INTO seat_events VALUES ('00000000-0000-7000-8000-000000000001', 'EUR')");
	assert_int_equal(STATUS_OK, migrate(url, PATIENCE_MS, &report, &fault));
	assert_int_equal(1, number("SELECT count(*) FROM seat_events"));
}

static void a_later_program_goes_on(void **state)
{
	struct migrate_report report;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_OK, apply(1, &report, &fault));
	assert_int_equal(1, report.version);
	assert_int_equal(STATUS_REFUSED, migrate_check_steps(pg, steps, STEP_COUNT, &fault));
	assert_non_null(strstr(fault.what, "is at version 1 and this program needs 6"));
	assert_int_equal(STATUS_OK, apply(STEP_COUNT, &report, &fault));
	assert_int_equal(1, report.version_before);
	assert_int_equal(2, report.applied_count);
	assert_int_equal(2, number("SELECT count(*) FROM first"));
	assert_int_equal(STATUS_OK, migrate_check_steps(pg, steps, STEP_COUNT, &fault));
}

static void a_newer_database_is_refused(void **state)
{
	struct migrate_report report;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_OK, apply(STEP_COUNT, &report, &fault));
	assert_int_equal(STATUS_REFUSED, apply(2, &report, &fault));
	assert_string_equal("schema_migrations", fault.where);
	assert_non_null(strstr(fault.what, "migrated by a newer one"));
	assert_int_equal(STATUS_REFUSED, migrate_check_steps(pg, steps, 2, &fault));
	assert_non_null(strstr(fault.what, "migrated by a newer one"));
}

static void another_text_is_refused_before_anything_is_done(void **state)
{
	struct migrate_step other[STEP_COUNT] = {steps[0], steps[1], steps[2]};
	struct migrate_report report;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_OK, apply(2, &report, &fault));
	other[0].sql = "CREATE TABLE first (n bigint)";
	assert_int_equal(STATUS_REFUSED,
		migrate_apply(url, PATIENCE_MS, other, STEP_COUNT, &report, &fault));
	assert_non_null(strstr(fault.what, "step 1 (first) was applied with another text"));
	assert_int_equal(0, report.applied_count);
	assert_int_equal(2, number("SELECT count(*) FROM schema_migrations"));
	other[0] = steps[0];
	other[1] = (struct migrate_step){4, "between", "SELECT 1"};
	assert_int_equal(STATUS_REFUSED,
		migrate_apply(url, PATIENCE_MS, other, STEP_COUNT, &report, &fault));
	assert_non_null(strstr(fault.what, "has step 5 (second) where this program has 4"));
}

/* The steps before it stay, of the step itself nothing does. */
static void a_step_that_fails_leaves_nothing(void **state)
{
	struct migrate_step broken[STEP_COUNT] = {steps[0],
		{5, "second", "CREATE TABLE second (n integer); INSERT INTO nowhere VALUES (1)"},
		steps[2]};
	struct migrate_report report;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_REFUSED,
		migrate_apply(url, PATIENCE_MS, broken, STEP_COUNT, &report, &fault));
	assert_string_equal("second", fault.where);
	assert_non_null(strstr(fault.what, "nowhere"));
	assert_int_equal(1, report.applied_count);
	assert_int_equal(1, report.version);
	assert_int_equal(0, number("SELECT count(*) FROM pg_class WHERE relname = 'second'"));
	assert_int_equal(STATUS_OK, apply(STEP_COUNT, &report, &fault));
	assert_int_equal(1, report.version_before);
	assert_int_equal(6, report.version);
}

static void several_processes_migrate_at_once(void **state)
{
	enum { PROCESS_COUNT = 4 };
	pid_t processes[PROCESS_COUNT];
	int applied = 0;
	(void)state;
	for (int i = 0; i < PROCESS_COUNT; i++) {
		processes[i] = fork();
		if (processes[i] == 0) {
			struct migrate_report report;
			struct fault fault;
			enum status status = migrate(url, PATIENCE_MS, &report, &fault);
			if (status != STATUS_OK)
				fprintf(stderr, "%s: %s\n", fault.where, fault.what);
			_exit(status == STATUS_OK ? (int)report.applied_count : 255);
		}
	}
	for (int i = 0; i < PROCESS_COUNT; i++) {
		int code;
		assert_int_equal(processes[i], waitpid(processes[i], &code, 0));
		assert_true(WIFEXITED(code) && WEXITSTATUS(code) != 255);
		applied += WEXITSTATUS(code);
	}
	assert_int_equal(migrate_step_count, applied);
	assert_int_equal(migrate_step_count, number("SELECT count(*) FROM schema_migrations"));
}

/* A process that is killed within a step has not applied it. */
static void a_killed_process_leaves_no_half_step(void **state)
{
	struct migrate_step slow[2] = {
		steps[0], {2, "slow", "CREATE TABLE slow (n integer); SELECT pg_sleep(600)"}};
	struct migrate_report report;
	struct fault fault;
	(void)state;
	pid_t process = fork();
	if (process == 0) {
		enum status status = migrate_apply(url, 3600000, slow, 2, &report, &fault);
		_exit(status == STATUS_OK ? 0 : 1);
	}
	while (number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 0)
		usleep(10000);
	kill(process, SIGKILL);
	assert_int_equal(process, waitpid(process, NULL, 0));
	/* The server learns of it when it next looks at the socket. */
	script("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	       "WHERE wait_event = 'PgSleep'");
	slow[1].sql = "CREATE TABLE slow (n integer)";
	assert_int_equal(STATUS_OK, migrate_apply(url, PATIENCE_MS, slow, 2, &report, &fault));
	assert_int_equal(1, report.version_before);
	assert_int_equal(1, report.applied_count);
}

static void a_database_that_is_away_is_said(void **state)
{
	struct migrate_report report;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_UNAVAILABLE,
		migrate("postgresql://onsale@127.0.0.1:1/none", 100, &report, &fault));
	assert_string_not_equal("", fault.what);
	assert_int_equal(STATUS_REFUSED, migrate("no url", PATIENCE_MS, &report, &fault));
}

/* ---- seat_changes ---- */

static void stock(struct seat_store *store, struct id event, size_t count)
{
	static struct seat_offer offers[100];
	static char names[100][8];
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "s%zu", i);
		offers[i] = (struct seat_offer){.seat = slice_of(names[i]),
			.section = slice_of("A"),
			.row = slice_of("1"),
			.number = slice_of(names[i]),
			.price = 100};
	}
	assert_int_equal(STATUS_OK, seat_store_stock(store, event, slice_of("EUR"), offers, count));
}

static void each_change_of_a_seat_is_written_once(void **state)
{
	struct postgres_seats_options options = {.url = url};
	struct migrate_report report;
	struct seat_store *store;
	struct fault fault;
	struct hold_result result;
	enum release_outcome outcome;
	(void)state;
	assert_int_equal(STATUS_OK, migrate(url, PATIENCE_MS, &report, &fault));
	assert_int_equal(STATUS_OK, postgres_seats_open(&options, &store, &fault));
	struct id event = id_new(1), hold = id_new(1), other = id_new(1);
	stock(store, event, 4);
	assert_int_equal(0, number("SELECT count(*) FROM seat_changes"));
	const struct slice seats[] = {slice_of("s1"), slice_of("s2")};
	struct hold_request request = {.event = event,
		.hold = hold,
		.person = slice_of("p"),
		.seats = seats,
		.seat_count = 2,
		.hold_ms = 60000};
	assert_int_equal(STATUS_OK, seat_store_hold(store, &request, &result, 1));
	assert_int_equal(HOLD_GRANTED, result.outcome);
	assert_int_equal(2,
		number("SELECT count(*) FROM seat_changes WHERE status = 'held' "
		       "AND version = 1 AND reserved_until IS NOT NULL"));
	/* What is refused, and what is repeated, changes nothing. */
	assert_int_equal(STATUS_OK, seat_store_hold(store, &request, &result, 1));
	request.hold = other;
	assert_int_equal(STATUS_OK, seat_store_hold(store, &request, &result, 1));
	assert_int_equal(HOLD_TAKEN, result.outcome);
	assert_int_equal(2, number("SELECT count(*) FROM seat_changes"));
	struct release_request release = {.event = event, .hold = hold, .person = slice_of("p")};
	assert_int_equal(STATUS_OK, seat_store_release(store, &release, &outcome, 1));
	assert_int_equal(2,
		number("SELECT count(*) FROM seat_changes WHERE "
		       "status = 'available' AND version = 2"));
	assert_int_equal(4, number("SELECT count(*) FROM seat_changes"));
	assert_int_equal(2, number("SELECT count(DISTINCT xid) FROM seat_changes"));
	/* What is written by hand is told with the version that is known already. */
	script("UPDATE seats SET number = 'x' WHERE seat_id = 's1'");
	assert_int_equal(2,
		number("SELECT count(*) FROM seat_changes WHERE seat_id = 's1' "
		       "AND status = 'available' AND version = 2"));
	store->ops->close(store);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(the_product_is_migrated_once),
		CASE(what_an_adapter_has_made_is_kept),
		CASE(a_later_program_goes_on),
		CASE(a_newer_database_is_refused),
		CASE(another_text_is_refused_before_anything_is_done),
		CASE(a_step_that_fails_leaves_nothing),
		CASE(several_processes_migrate_at_once),
		CASE(a_killed_process_leaves_no_half_step),
		CASE(a_database_that_is_away_is_said),
		CASE(each_change_of_a_seat_is_written_once),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
