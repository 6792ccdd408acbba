/* What is PostgreSQL's own: ids made by SQL, plans, rows that the database refuses, isolation
 * levels, techniques side by side, sales within a caller's transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/postgres/batched.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"

enum { SEATS = 40, LONG_MS = 3600000 };

static struct seats_fixture fixture;

/* ---- what the tests are made with ---- */

struct scene {
	struct seat_store *store;
	struct id event;
	char names[SEATS][16];
	struct slice seats[SEATS];
};

static void open_scene(struct scene *scene, enum postgres_seats_technique technique)
{
	struct seat_offer offers[SEATS];
	assert_int_equal(STATUS_OK, seats_fixture_open(&fixture, technique, &scene->store));
	scene->event = id_new(clock_wall_ms(clock_system()));
	for (int i = 0; i < SEATS; i++) {
		snprintf(scene->names[i], sizeof scene->names[i], "s-%02d", i);
		scene->seats[i] = slice_of(scene->names[i]);
		offers[i] = (struct seat_offer){.seat = scene->seats[i], .price = 100};
	}
	assert_int_equal(STATUS_OK,
		seat_store_stock(scene->store, scene->event, slice_of("EUR"), offers, SEATS));
}

static void close_scene(struct scene *scene)
{
	char message[256];
	const char *violation =
		seats_fixture_judge(&fixture, scene->event, message, sizeof message);
	seat_store_close(scene->store);
	if (violation)
		fail_msg("%s", violation);
}

static struct hold_request wish(
	const struct scene *scene, const char *person, int first, size_t count)
{
	return (struct hold_request){.event = scene->event,
		.hold = id_new(clock_wall_ms(clock_system())),
		.person = slice_of(person),
		.seats = scene->seats + first,
		.seat_count = count,
		.hold_ms = LONG_MS};
}

static struct sell_request sale(const struct hold_request *hold, const struct hold_result *held)
{
	return (struct sell_request){.event = hold->event,
		.hold = hold->hold,
		.person = hold->person,
		.version = held->version,
		.order = id_new(clock_wall_ms(clock_system()))};
}

static void run(const char *sql)
{
	assert_int_equal(STATUS_OK, postgres_run_script(fixture.blocker, sql));
}

/* ---- ids ---- */

static void sql_makes_the_same_ticket_ids(void **state)
{
	(void)state;
	static const struct postgres_statement make = {
		.name = "make_id", .sql = "SELECT seat_ticket_id($1, $2)"};
	static const char *const seats[] = {"s-1", "A/12/7", "Sitz \xc3\xa4", "0"};
	for (size_t i = 0; i < sizeof seats / sizeof *seats; i++) {
		struct id order = id_new(clock_wall_ms(clock_system()));
		struct id ticket = seat_ticket_id(order, slice_of(seats[i]));
		struct postgres_result rows;
		assert_int_equal(STATUS_OK,
			postgres_execute(fixture.judge, &make,
				POSTGRES_PARAMETERS(
					postgres_uuid(order), postgres_text(slice_of(seats[i]))),
				&rows));
		assert_true(seat_ids_equal(ticket, postgres_get_uuid(&rows, 0, 0)));
		postgres_result_release(&rows);
	}
}

/* ---- plans ---- */

/* With the session's settings, and tables of which nothing is known yet, no statement of the batch
 * may read a table from end to end. */
static void the_batch_reads_by_key_only(void **state)
{
	(void)state;
	char sql[8192];
	struct postgres_result rows;
	snprintf(sql, sizeof sql,
		"PREPARE batch (integer[], uuid[], uuid[], text[], bigint[], text[], bigint[], "
		"integer[]) AS %s",
		batched_hold);
	run("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan");
	run(sql);
	const struct postgres_statement explain = {.name = "explain",
		.sql = "EXPLAIN EXECUTE batch ('{1}', "
		       "'{00000000-0000-7000-8000-000000000001}', "
		       "'{00000000-0000-7000-8000-000000000002}', '{ann}', '{1000}', '{s-01}', "
		       "'{1}', '{1}')"};
	assert_int_equal(STATUS_OK,
		postgres_execute(fixture.blocker, &explain, POSTGRES_NO_PARAMETERS, &rows));
	size_t lookups = 0;
	for (size_t row = 0; row < rows.row_count; row++) {
		const char *line = postgres_get_text(&rows, row, 0).data;
		if (strstr(line, "Seq Scan"))
			fail_msg("%s", line);
		lookups += strstr(line, "seats_pkey") != NULL;
	}
	assert_int_equal(lookups, 2);
	postgres_result_release(&rows);
	run("DEALLOCATE batch; RESET ALL");
}

/* ---- a row that the database refuses ---- */

static void refused_rows_leave_their_neighbours_alone(void **state)
{
	(void)state;
	enum { COUNT = 13 };
	struct scene scene;
	struct hold_request requests[COUNT];
	struct hold_result results[COUNT];
	run("ALTER TABLE seat_holds ADD CONSTRAINT nobody CHECK (person <> 'nobody') NOT VALID");
	for (int technique = 0; technique < POSTGRES_SEATS_TECHNIQUE_COUNT; technique++) {
		open_scene(&scene, (enum postgres_seats_technique)technique);
		for (int i = 0; i < COUNT; i++)
			requests[i] = wish(&scene, i == 4 || i == 12 ? "nobody" : "ann", 2 * i, 2);
		assert_int_equal(STATUS_OK, seat_store_hold(scene.store, requests, results, COUNT));
		for (int i = 0; i < COUNT; i++)
			assert_int_equal(results[i].outcome,
				i == 4 || i == 12 ? HOLD_MALFORMED : HOLD_GRANTED);
		requests[4].person = slice_of("bob");
		assert_int_equal(
			STATUS_OK, seat_store_hold(scene.store, &requests[4], &results[4], 1));
		assert_int_equal(results[4].outcome, HOLD_GRANTED);
		close_scene(&scene);
	}
	run("ALTER TABLE seat_holds DROP CONSTRAINT nobody");
}

/* ---- isolation levels ---- */

/* What two sessions see of a seat that one of them sells while the other's transaction is open. */
static enum status read_in_between(
	enum postgres_isolation isolation, const char *lock, bool *seen_free)
{
	static const struct postgres_statement first = {.name = "first", .sql = "SELECT 1"};
	static const struct postgres_statement look = {.name = "look",
		.sql = "SELECT status = 'available' FROM iso_seats WHERE seat_id = 's'"};
	const struct postgres_statement locking = {.name = "locking", .sql = lock};
	struct postgres_result rows;
	run("DROP TABLE IF EXISTS iso_seats, iso_orders;"
	    "CREATE TABLE iso_seats (seat_id text PRIMARY KEY, status text);"
	    "CREATE TABLE iso_orders (order_id integer PRIMARY KEY);"
	    "INSERT INTO iso_seats VALUES ('s', 'available'); INSERT INTO iso_orders VALUES (1)");
	struct postgres *pg = postgres_open(
		&(struct postgres_options){.url = fixture.postgres.url, .call_ms_max = 60000});
	assert_non_null(pg);
	assert_int_equal(STATUS_OK, postgres_begin(pg, isolation));
	assert_int_equal(STATUS_OK, postgres_execute(pg, &first, POSTGRES_NO_PARAMETERS, NULL));
	run("UPDATE iso_seats SET status = 'sold'");
	enum status status = postgres_execute(pg, &locking, POSTGRES_NO_PARAMETERS, NULL);
	*seen_free = false;
	if (status == STATUS_OK) {
		status = postgres_execute(pg, &look, POSTGRES_NO_PARAMETERS, &rows);
		*seen_free = status == STATUS_OK && postgres_get_boolean(&rows, 0, 0);
		postgres_result_release(&rows);
	}
	if (status == STATUS_UNAVAILABLE)
		assert_string_equal(postgres_error(pg)->sqlstate, "40001");
	postgres_close(pg);
	return status;
}

/* READ COMMITTED looks anew with each statement, so what is read behind a lock is true. A level
 * with one snapshot does not: a lock on the seat itself fails with 40001, which has to be retried
 * and in a crowd mostly is; and a lock on something else, such as the order, is taken without
 * complaint, and the seat behind it is read as it was before. */
static void a_snapshot_makes_lock_then_read_wrong(void **state)
{
	(void)state;
	static const char lock_seat[] = "SELECT FROM iso_seats FOR UPDATE";
	static const char lock_order[] = "SELECT FROM iso_orders FOR UPDATE";
	static const enum postgres_isolation snapshots[] = {
		POSTGRES_REPEATABLE_READ, POSTGRES_SERIALIZABLE};
	bool seen_free;
	assert_int_equal(
		STATUS_OK, read_in_between(POSTGRES_READ_COMMITTED, lock_seat, &seen_free));
	assert_false(seen_free);
	assert_int_equal(
		STATUS_OK, read_in_between(POSTGRES_READ_COMMITTED, lock_order, &seen_free));
	assert_false(seen_free);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			STATUS_UNAVAILABLE, read_in_between(snapshots[i], lock_seat, &seen_free));
		assert_int_equal(STATUS_OK, read_in_between(snapshots[i], lock_order, &seen_free));
		assert_true(seen_free); /* Sold, and read as free, with the lock in hand. */
	}
	run("DROP TABLE iso_seats, iso_orders");
}

/* ---- the techniques side by side ---- */

static void techniques_share_the_seats(void **state)
{
	(void)state;
	struct scene scene;
	struct seat_store *others[POSTGRES_SEATS_TECHNIQUE_COUNT];
	struct hold_result held;
	struct sell_result sold;
	open_scene(&scene, POSTGRES_SEATS_BATCHED);
	for (int i = 0; i < POSTGRES_SEATS_TECHNIQUE_COUNT; i++)
		assert_int_equal(STATUS_OK,
			seats_fixture_open(&fixture, (enum postgres_seats_technique)i, &others[i]));
	for (int i = 0; i < POSTGRES_SEATS_TECHNIQUE_COUNT; i++) {
		struct seat_store *other = others[(i + 1) % POSTGRES_SEATS_TECHNIQUE_COUNT];
		struct hold_request mine = wish(&scene, "ann", 2 * i, 2);
		struct hold_request theirs = wish(&scene, "bob", 2 * i + 1, 2);
		assert_int_equal(STATUS_OK, seat_store_hold(others[i], &mine, &held, 1));
		assert_int_equal(held.outcome, HOLD_GRANTED);
		struct hold_result first = held;
		assert_int_equal(STATUS_OK, seat_store_hold(other, &theirs, &held, 1));
		assert_int_equal(held.outcome, HOLD_TAKEN);
		assert_int_equal(held.which, 1);
		assert_int_equal(STATUS_OK, seat_store_hold(other, &mine, &held, 1));
		assert_int_equal(held.outcome, HOLD_GRANTED);
		assert_int_equal(held.expires_at_ms, first.expires_at_ms);
		struct sell_request selling = sale(&mine, &held);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(STATUS_OK,
				seat_store_sell(again ? others[i] : other, &selling, &sold, 1));
			assert_int_equal(sold.outcome, SELL_SOLD);
			assert_int_equal(sold.total, 200);
		}
	}
	for (int i = 0; i < POSTGRES_SEATS_TECHNIQUE_COUNT; i++)
		seat_store_close(others[i]);
	close_scene(&scene);
}

/* ---- within a caller's transaction ---- */

static void a_sale_commits_with_its_caller(void **state)
{
	(void)state;
	struct scene scene;
	struct hold_result held;
	struct sell_result sold;
	struct hold_record record;
	struct arena arena;
	arena_init(&arena, 1 << 16);
	open_scene(&scene, POSTGRES_SEATS_PESSIMISTIC);
	struct hold_request request = wish(&scene, "ann", 3, 2);
	assert_int_equal(STATUS_OK, seat_store_hold(scene.store, &request, &held, 1));
	struct sell_request selling = sale(&request, &held);
	struct hold_name name = {scene.event, request.hold};
	for (int commit = 0; commit < 2; commit++) {
		assert_int_equal(
			STATUS_OK, postgres_begin(fixture.blocker, POSTGRES_READ_COMMITTED));
		assert_int_equal(
			STATUS_OK, postgres_seats_sell_within(fixture.blocker, &selling, &sold));
		assert_int_equal(sold.outcome, SELL_SOLD);
		if (commit)
			assert_int_equal(STATUS_OK, postgres_commit(fixture.blocker));
		else
			postgres_rollback(fixture.blocker);
		assert_int_equal(
			STATUS_OK, seat_store_look_up(scene.store, &name, &record, 1, &arena));
		assert_int_equal(record.state, commit ? HOLD_SOLD : HOLD_LIVE);
	}
	/* A refusal leaves the transaction usable. */
	selling.version++;
	assert_int_equal(STATUS_OK, postgres_begin(fixture.blocker, POSTGRES_READ_COMMITTED));
	assert_int_equal(STATUS_OK, postgres_seats_sell_within(fixture.blocker, &selling, &sold));
	assert_int_equal(sold.outcome, SELL_STALE);
	assert_int_equal(STATUS_OK, postgres_commit(fixture.blocker));
	arena_release(&arena);
	close_scene(&scene);
}

/* ---- the last guard ---- */

static void refuse(const char *constraint, const char *sql)
{
	assert_int_equal(STATUS_REFUSED, postgres_run_script(fixture.blocker, sql));
	if (!postgres_violated(fixture.blocker, constraint))
		fail_msg("%s did not stop %s", constraint, sql);
}

static void constraints_stop_what_code_might_do(void **state)
{
	(void)state;
	struct scene scene;
	struct hold_result held;
	struct sell_result sold;
	open_scene(&scene, POSTGRES_SEATS_BATCHED);
	struct hold_request request = wish(&scene, "ann", 0, 2);
	assert_int_equal(STATUS_OK, seat_store_hold(scene.store, &request, &held, 1));
	struct sell_request selling = sale(&request, &held);
	assert_int_equal(STATUS_OK, seat_store_sell(scene.store, &selling, &sold, 1));
	assert_int_equal(sold.outcome, SELL_SOLD);
	refuse("one_valid_ticket_per_seat",
		"INSERT INTO seat_tickets SELECT event_id, gen_random_uuid(), gen_random_uuid(), "
		"seat_id, price FROM seat_tickets WHERE status = 'valid'");
	refuse("seat_is_in_one_state", "UPDATE seats SET status = 'held' WHERE status = 'sold'");
	refuse("seat_is_in_one_state",
		"UPDATE seats SET hold_id = gen_random_uuid() WHERE status = 'available'");
	refuse("hold_is_sold_in_time",
		"UPDATE seat_holds SET sold_at = expires_at WHERE status = 'sold'");
	refuse("hold_has_its_order", "UPDATE seat_holds SET order_id = NULL WHERE status = 'sold'");
	close_scene(&scene);
}

static int start(void **state)
{
	(void)state;
	struct seat_store *store;
	if (seats_fixture_start(&fixture, "seats", POSTGRES_SEATS_BATCHED) != STATUS_OK ||
		seats_fixture_open(&fixture, POSTGRES_SEATS_BATCHED, &store) != STATUS_OK)
		return 1;
	seat_store_close(store);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	seats_fixture_stop(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql_makes_the_same_ticket_ids),
		cmocka_unit_test(the_batch_reads_by_key_only),
		cmocka_unit_test(refused_rows_leave_their_neighbours_alone),
		cmocka_unit_test(a_snapshot_makes_lock_then_read_wrong),
		cmocka_unit_test(techniques_share_the_seats),
		cmocka_unit_test(a_sale_commits_with_its_caller),
		cmocka_unit_test(constraints_stop_what_code_might_do),
	};
	return cmocka_run_group_tests_name("postgres seats", tests, start, stop);
}
