/* What only this adapter has: entries that somebody else wrote, numbers that are reserved in the
 * durable record before they are used, services that are away or hang, and rooms without a record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first. */
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>

#include "lib/redis/redis.h"
#include "lib/testkit/fault_proxy.h"
#include "tech-waiting-room/redis-streams/room_record.h"
#include "tech-waiting-room/redis-streams/streams_fixture.h"

enum { BLOCK = 10 };

static struct streams_fixture fixture;
static struct waiting_room *room;
static char event_text[WAITING_ROOM_EVENT_SIZE_MAX + 1];
static struct slice event;

static const struct waiting_room_settings settings = {.state = WAITING_ROOM_OPEN,
	.rate_per_second = 10000,
	.active_max = 1000,
	.claim_seconds = 3600,
	.heartbeat_seconds = 1,
	.session_seconds = 3600};

static int start(void **state)
{
	(void)state;
	return streams_fixture_start(&fixture, "redis-streams") != STATUS_OK;
}

static int stop(void **state)
{
	(void)state;
	streams_fixture_stop(&fixture);
	return 0;
}

static int open_room(void **state)
{
	static int number;
	(void)state;
	snprintf(event_text, sizeof event_text, "event-%d", ++number);
	event = slice_of(event_text);
	assert_int_equal(STATUS_OK, streams_fixture_open(&fixture, BLOCK, &room));
	assert_int_equal(STATUS_OK, waiting_room_configure(room, event, &settings, NULL));
	return 0;
}

static int close_room(void **state)
{
	(void)state;
	waiting_room_close(room);
	return 0;
}

static struct join_result join(const char *person, int64_t place, int64_t epoch)
{
	struct join_request request = {
		.person = slice_of(person), .token_place = place, .token_epoch = epoch};
	struct join_result result;
	assert_int_equal(STATUS_OK, waiting_room_join(room, event, &request, &result, 1));
	return result;
}

/* Call until so many people have been called, and return them in order. */
static void admit(struct admission admissions[], size_t want)
{
	struct waiting_room_view view;
	size_t count, total = 0;
	int64_t next_ms;
	for (int attempt = 0; total < want && attempt < 100000; attempt++) {
		assert_int_equal(STATUS_OK,
			waiting_room_admit(room, event, admissions + total, want - total, &count,
				&view, &next_ms));
		total += count;
		assert_true(view.serving <= view.tail);
	}
	assert_int_equal(want, total);
}

static struct redis *redis_client(void)
{
	struct redis *redis = redis_open(&(struct redis_options){
		.url = fixture.redis.url, .clock = clock_system(), .call_ms_max = 30000});
	assert_non_null(redis);
	return redis;
}

static void add_entry(struct redis *redis, const char *id, const char *field)
{
	static const struct redis_command add = {"XADD", REDIS_WRITES};
	char key[REDIS_KEY_SIZE_MAX];
	assert_int_equal(STATUS_OK,
		redis_execute(redis, &add,
			REDIS_ARGUMENTS(redis_slice(redis_key(key, "wr", event, "queue")),
				redis_text(id), redis_text(field), redis_text("nonsense")),
			NULL));
}

/* Entries that are none of ours, one of them with an id that no place will reach: everybody is
 * called once and in order, whether they joined before or after. */
static void test_poison_is_thrown_away(void **state)
{
	struct redis *redis = redis_client();
	struct admission called[6];
	(void)state;
	assert_int_equal(1, join("a", 0, 0).place);
	add_entry(redis, "1-2", "x");
	assert_int_equal(2, join("b", 0, 0).place);
	add_entry(redis, "2-5", "p");
	add_entry(redis, "*", "p");
	assert_int_equal(3, join("c", 0, 0).place);
	assert_int_equal(4, join("d", 0, 0).place);
	admit(called, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(i + 1, called[i].place);
		assert_int_equal("abcd"[i], called[i].person[0]);
	}
	assert_int_equal(5, join("e", 0, 0).place);
	admit(called, 1);
	assert_string_equal("e", called[0].person);
	redis_close(redis);
}

/* More people than a block in one call: numbers are reserved first, and stay dense. */
static void test_a_batch_larger_than_a_block(void **state)
{
	enum { PEOPLE = 5 * BLOCK + 3 };
	struct join_request requests[PEOPLE] = {0};
	struct join_result results[PEOPLE];
	struct admission called[PEOPLE];
	char names[PEOPLE][16];
	(void)state;
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(names[i], sizeof names[i], "p%d", i);
		requests[i].person = slice_of(names[i]);
	}
	assert_int_equal(STATUS_OK, waiting_room_join(room, event, requests, results, PEOPLE));
	for (int i = 0; i < PEOPLE; i++)
		assert_int_equal(i + 1, results[i].place);
	admit(called, PEOPLE);
	assert_int_equal(PEOPLE, called[PEOPLE - 1].place);
}

/* Two servers make the room at the same moment: one has begun the epoch and goes on too late, or
 * never. The other's room is not one that has lost its people, and does not wait for their
 * heartbeats. */
static void test_two_make_the_room(void **state)
{
	struct waiting_room_settings slow = settings;
	static const uint8_t seed[WAITING_ROOM_SEED_SIZE];
	struct admission called[1];
	struct room_record *record;
	struct fault fault;
	(void)state;
	slow.heartbeat_seconds = 3600;
	event = slice_of("made-by-two");
	assert_int_equal(
		STATUS_OK, room_record_open(fixture.postgres.url, 30000, true, &record, &fault));
	assert_int_equal(STATUS_OK, room_record_configure(record, event, &slow, seed));
	assert_int_equal(STATUS_OK, room_record_next_epoch(record, event, 1));
	room_record_close(record);
	assert_int_equal(STATUS_OK, waiting_room_configure(room, event, &slow, NULL));
	assert_int_equal(1, join("a", 0, 0).place);
	admit(called, 1);
	assert_string_equal("a", called[0].person);
}

/* After the loss no number that was ever given is given again, however often that happens. */
static void test_no_place_is_given_twice(void **state)
{
	int64_t largest = 0;
	(void)state;
	for (int64_t epoch = 1; epoch <= 3; epoch++) {
		for (int i = 0; i < BLOCK + 2; i++) {
			char name[32];
			snprintf(name, sizeof name, "e%d-%d", (int)epoch, i);
			struct join_result result = join(name, 0, 0);
			assert_int_equal(JOIN_NEW, result.outcome);
			assert_int_equal(epoch, result.epoch);
			assert_true(result.place > largest);
			largest = result.place;
		}
		assert_int_equal(STATUS_OK, redis_fixture_empty(&fixture.redis));
	}
	struct join_result back = join("e1-3", 4, 1);
	assert_int_equal(JOIN_RESTORED, back.outcome);
	assert_int_equal(4, back.place);
}

/* While the record is away people join from what is reserved, and then wait for it. */
static void test_the_record_is_away(void **state)
{
	struct join_request request = {.person = slice_of("a")};
	struct join_result result;
	(void)state;
	assert_int_equal(1, join("first", 0, 0).place);
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture.postgres));
	assert_int_equal(2, join("second", 0, 0).place);
	waiting_room_close(room);
	struct fault fault;
	assert_int_equal(STATUS_OK,
		redis_streams_open(&(struct redis_streams_options){.redis_url = fixture.redis.url,
					   .database_url = fixture.postgres.url,
					   .call_ms_max = 300,
					   .block = BLOCK},
			&room, &fault));
	enum status status = STATUS_OK;
	for (int i = 0; i < 3 * BLOCK && status == STATUS_OK; i++) {
		char name[16];
		snprintf(name, sizeof name, "p%d", i);
		request.person = slice_of(name);
		status = waiting_room_join(room, event, &request, &result, 1);
	}
	assert_int_equal(STATUS_UNAVAILABLE, status);
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture.postgres));
	waiting_room_close(room);
	assert_int_equal(STATUS_OK, streams_fixture_open(&fixture, BLOCK, &room));
	assert_true(join("later", 0, 0).place > BLOCK);
}

/* A server's lane must go on when the record is away, or Redis: it does not wait for either. */
static void test_a_server_does_not_wait_for_who_is_away(void **state)
{
	enum { PATIENCE_MS = 60000 };
	struct join_request request = {.person = slice_of("a")};
	struct join_result result;
	struct waiting_room_view view;
	struct fault fault;
	bool found;
	char names[1][WAITING_ROOM_EVENT_SIZE_MAX + 1];
	size_t count;
	(void)state;
	waiting_room_close(room);
	assert_int_equal(STATUS_OK,
		redis_streams_open(&(struct redis_streams_options){.redis_url = fixture.redis.url,
					   .database_url = fixture.postgres.url,
					   .call_ms_max = PATIENCE_MS,
					   .block = BLOCK,
					   .fail_fast = true},
			&room, &fault));
	assert_int_equal(1, join("first", 0, 0).place);
	int64_t start_ms = clock_monotonic_ms(clock_system());
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture.postgres));
	assert_int_not_equal(STATUS_OK, waiting_room_list(room, names, 1, &count));
	assert_int_not_equal(
		STATUS_OK, waiting_room_view(room, slice_of("no-such-room"), &view, &found));
	assert_int_equal(2, join("second", 0, 0).place);
	assert_int_equal(STATUS_OK, redis_fixture_kill(&fixture.redis));
	assert_int_not_equal(STATUS_OK, waiting_room_join(room, event, &request, &result, 1));
	assert_int_not_equal(STATUS_OK, waiting_room_join(room, event, &request, &result, 1));
	assert_true(clock_monotonic_ms(clock_system()) - start_ms < PATIENCE_MS);
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture.postgres));
	assert_int_equal(STATUS_OK, redis_fixture_start_again(&fixture.redis));
	/* And it comes back by itself. */
	start_ms = clock_monotonic_ms(clock_system());
	while (waiting_room_join(room, event, &request, &result, 1) != STATUS_OK ||
		waiting_room_list(room, names, 1, &count) != STATUS_OK) {
		assert_true(clock_monotonic_ms(clock_system()) - start_ms < PATIENCE_MS);
		(void)poll(NULL, 0, 50);
	}
	assert_int_equal(3, result.place);
	waiting_room_close(room);
	assert_int_equal(STATUS_OK, streams_fixture_open(&fixture, BLOCK, &room));
}

/* Join until it is confirmed; whatever was applied before, the place is the same. */
static int64_t join_soon(const char *person)
{
	enum { PATIENCE_MS = 60000 };
	struct join_request request = {.person = slice_of(person)};
	struct join_result result;
	int64_t start_ms = clock_monotonic_ms(clock_system());
	while (waiting_room_join(room, event, &request, &result, 1) != STATUS_OK) {
		assert_true(clock_monotonic_ms(clock_system()) - start_ms < PATIENCE_MS);
		(void)poll(NULL, 0, 50);
	}
	return result.place;
}

/* Services that take connections and say nothing. What was sent to them is applied when they speak
 * again, after it was given up here. */
static void test_services_that_hang(void **state)
{
	enum { CALL_MS = 2000 };
	struct join_request request = {.person = slice_of("c")};
	struct join_result result;
	struct waiting_room_view view;
	struct fault fault;
	bool found;
	(void)state;
	struct fault_proxy *redis = fault_proxy_open(fixture.redis.url);
	struct fault_proxy *postgres = fault_proxy_open(fixture.postgres.url);
	assert_true(redis && postgres);
	waiting_room_close(room);
	assert_int_equal(STATUS_OK,
		redis_streams_open(
			&(struct redis_streams_options){.redis_url = fault_proxy_url(redis),
				.database_url = fault_proxy_url(postgres),
				.call_ms_max = CALL_MS,
				.block = BLOCK,
				.fail_fast = true},
			&room, &fault));
	assert_int_equal(1, join_soon("a"));
	/* Without the record, people join as long as places are reserved. */
	fault_proxy_stall(postgres);
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(STATUS_OK,
			waiting_room_view(room, slice_of("no-such-room"), &view, &found));
	assert_int_equal(2, join_soon("b"));
	fault_proxy_stall(redis);
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(
			STATUS_OK, waiting_room_join(room, event, &request, &result, 1));
	fault_proxy_pass(redis);
	assert_int_equal(3, join_soon("c"));
	fault_proxy_pass(postgres);
	for (int i = 4; i <= 2 * BLOCK; i++) {
		char person[16];
		snprintf(person, sizeof person, "p%d", i);
		assert_int_equal(i, join_soon(person));
	}
	fault_proxy_close(redis);
	fault_proxy_close(postgres);
}

/* Without a record a lost room is a room that was never made. */
static void test_without_a_record(void **state)
{
	struct fault fault;
	struct waiting_room_view view;
	bool found;
	(void)state;
	waiting_room_close(room);
	assert_int_equal(STATUS_OK,
		redis_streams_open(&(struct redis_streams_options){.redis_url = fixture.redis.url,
					   .call_ms_max = 30000},
			&room, &fault));
	assert_false(waiting_room_traits(room)->survives_data_loss);
	assert_int_equal(STATUS_OK, redis_fixture_empty(&fixture.redis));
	assert_int_equal(STATUS_OK, waiting_room_view(room, event, &view, &found));
	assert_false(found);
	assert_int_equal(JOIN_NO_ROOM, join("a", 0, 0).outcome);
	assert_int_equal(STATUS_OK, waiting_room_configure(room, event, &settings, NULL));
	assert_int_equal(1, join("a", 0, 0).place);
}

static void test_urls_are_checked(void **state)
{
	struct waiting_room *none = NULL;
	struct fault fault = {0};
	(void)state;
	assert_int_equal(STATUS_REFUSED,
		redis_streams_open(
			&(struct redis_streams_options){.redis_url = "http://x"}, &none, &fault));
	assert_true(fault.what[0] != '\0');
	assert_int_equal(STATUS_REFUSED,
		redis_streams_open(&(struct redis_streams_options){.redis_url = fixture.redis.url,
					   .database_url = "nonsense"},
			&none, &fault));
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_poison_is_thrown_away, open_room, close_room),
		cmocka_unit_test_setup_teardown(
			test_a_batch_larger_than_a_block, open_room, close_room),
		cmocka_unit_test_setup_teardown(
			test_no_place_is_given_twice, open_room, close_room),
		cmocka_unit_test_setup_teardown(test_two_make_the_room, open_room, close_room),
		cmocka_unit_test_setup_teardown(test_the_record_is_away, open_room, close_room),
		cmocka_unit_test_setup_teardown(
			test_a_server_does_not_wait_for_who_is_away, open_room, close_room),
		cmocka_unit_test_setup_teardown(test_services_that_hang, open_room, close_room),
		cmocka_unit_test_setup_teardown(test_without_a_record, open_room, close_room),
		cmocka_unit_test(test_urls_are_checked),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
