/* See seat_suite_conformance.h. */
#include "tech-locking-and-transactions/seat_suite_conformance.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"

const char *suite_violation(struct seat_suite *suite, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(suite->message, suite->message_size, format, arguments);
	va_end(arguments);
	return suite->message;
}

struct seat_suite *suite_open(const struct seat_store_factory *factory, uint64_t seed, int stores,
	char *message, size_t message_size)
{
	struct seat_suite *suite = calloc(1, sizeof *suite);
	assert(suite);
	suite->factory = factory;
	suite->message = message;
	suite->message_size = message_size;
	arena_init(&suite->arena, SUITE_ARENA_BYTES_MAX);
	if (!seed)
		seed = factory->seed ? factory->seed : random_seed();
	random_init(&suite->random, seed);
	/* Also the same seed must not find the seats of an earlier run. */
	suite->event = id_new(clock_wall_ms(clock_system()));
	for (int i = 0; i < SUITE_SEATS_MAX; i++)
		snprintf(suite->names[i], SUITE_NAME_SIZE, "s-%03d", i);
	for (int i = 0; i < stores; i++) {
		if (factory->open(factory->context, &suite->stores[i]) == STATUS_OK)
			continue;
		snprintf(message, message_size, "an instance cannot be opened");
		suite_close(suite);
		return NULL;
	}
	suite->traits = seat_store_traits(suite->stores[0]);
	return suite;
}

void suite_close(struct seat_suite *suite)
{
	if (!suite)
		return;
	for (int i = 0; i < SUITE_STORES; i++)
		seat_store_close(suite->stores[i]);
	arena_release(&suite->arena);
	free(suite);
}

/* ---- time ---- */

int64_t suite_now_ms(const struct seat_suite *suite)
{
	const struct seat_store_factory *factory = suite->factory;
	return factory->now_ms ? factory->now_ms(factory->context) : clock_wall_ms(clock_system());
}

bool suite_wait(const struct seat_suite *suite, int64_t start_ms)
{
	suite->factory->advance(suite->factory->context, SUITE_STEP_MS);
	return suite_now_ms(suite) - start_ms < SUITE_PATIENCE_MS;
}

void suite_pass(const struct seat_suite *suite, int64_t until_ms)
{
	for (int64_t rest; (rest = until_ms + 2 - suite_now_ms(suite)) > 0;)
		suite->factory->advance(
			suite->factory->context, rest < SUITE_STEP_MS ? rest : SUITE_STEP_MS);
}

/* ---- calls ---- */

struct id suite_id(struct seat_suite *suite)
{
	struct id id;
	uint64_t numbers[2] = {random_next(&suite->random), random_next(&suite->random)};
	memcpy(id.bytes, numbers, sizeof id.bytes);
	return id;
}

int64_t suite_price(int seat)
{
	return 1000 + 10 * (int64_t)seat;
}

static const char *done(struct seat_suite *suite, const char *what, enum status status)
{
	CHECK(suite, status == STATUS_OK, "%s: the status is %d", what, (int)status);
	return NULL;
}

const char *suite_stock(struct seat_suite *suite, int count)
{
	struct seat_offer offers[SUITE_SEATS_MAX];
	assert(count <= SUITE_SEATS_MAX);
	for (int i = 0; i < count; i++)
		offers[i] = (struct seat_offer){.seat = slice_of(suite->names[i]),
			.section = slice_of("A"),
			.row = slice_of("1"),
			.number = slice_of(suite->names[i] + 2),
			.price = suite_price(i)};
	return done(suite, "stock",
		seat_store_stock(
			suite->stores[0], suite->event, slice_of("EUR"), offers, (size_t)count));
}

void suite_ask(struct seat_suite *suite, size_t index, const struct suite_ask *ask)
{
	static const struct id none;
	assert(ask->first >= 0 && ask->count <= SEAT_STORE_SEATS_MAX);
	for (int i = 0; i < ask->count; i++) {
		int seat = ask->first + (ask->reverse ? ask->count - 1 - i : i);
		suite->seats[index][i] = slice_of(suite->names[seat]);
	}
	suite->holds[index] = (struct hold_request){.event = suite->event,
		.hold = seat_ids_equal(ask->hold, none) ? suite_id(suite) : ask->hold,
		.person = slice_of(ask->person ? ask->person : "ann"),
		.seats = suite->seats[index],
		.seat_count = (size_t)ask->count,
		.hold_ms = ask->hold_ms > 0 ? ask->hold_ms : SUITE_LONG_MS};
}

const char *suite_hold(struct seat_suite *suite, int store, size_t count)
{
	return done(suite, "hold",
		seat_store_hold(suite->stores[store], suite->holds, suite->held, count));
}

const char *suite_hold_one(struct seat_suite *suite, int store, const struct suite_ask *ask)
{
	suite_ask(suite, 0, ask);
	return suite_hold(suite, store, 1);
}

const char *suite_grant(struct seat_suite *suite, int store, const struct suite_ask *ask)
{
	TRY(suite_hold_one(suite, store, ask));
	CHECK(suite, suite->held[0].outcome == HOLD_GRANTED,
		"a hold of %d free seats from %d is %s", ask->count, ask->first,
		hold_outcome_name(suite->held[0].outcome));
	return NULL;
}

void suite_offer(struct seat_suite *suite, size_t index, struct id order)
{
	suite->sells[index] = (struct sell_request){.event = suite->event,
		.hold = suite->holds[index].hold,
		.person = suite->holds[index].person,
		.version = suite->held[index].version,
		.order = order};
}

const char *suite_sell(struct seat_suite *suite, int store, size_t count)
{
	return done(suite, "sell",
		seat_store_sell(suite->stores[store], suite->sells, suite->sold, count));
}

const char *suite_release(struct seat_suite *suite, int store, size_t count)
{
	return done(suite, "release",
		seat_store_release(suite->stores[store], suite->releases, suite->released, count));
}

const char *suite_release_one(struct seat_suite *suite, int store)
{
	suite->releases[0] = (struct release_request){.event = suite->event,
		.hold = suite->holds[0].hold,
		.person = suite->holds[0].person};
	return suite_release(suite, store, 1);
}

const char *suite_revoke_one(struct seat_suite *suite, int store, struct id order)
{
	suite->revokes[0] = (struct revoke_request){.event = suite->event, .order = order};
	return done(suite, "revoke",
		seat_store_revoke(suite->stores[store], suite->revokes, suite->revoked, 1));
}

const char *suite_expire(struct seat_suite *suite, int store, size_t max)
{
	return done(suite, "expire",
		seat_store_expire(
			suite->stores[store], max, suite->expired, &suite->expired_count));
}

const char *suite_look_up(struct seat_suite *suite, int store, struct id hold)
{
	arena_reset(&suite->arena);
	suite->names_looked_up[0] = (struct hold_name){.event = suite->event, .hold = hold};
	return done(suite, "look_up",
		seat_store_look_up(suite->stores[store], suite->names_looked_up, suite->records, 1,
			&suite->arena));
}

static void remember_view(void *context, const struct seat_view *view)
{
	struct seat_suite *suite = context;
	if (suite->view_count == SUITE_SEATS_MAX)
		return;
	struct seat_view *seat = &suite->views[suite->view_count];
	*seat = *view;
	bool same = slice_is(view->seat, suite->names[suite->view_count]) &&
		slice_is(view->section, "A") && slice_is(view->row, "1") &&
		slice_is(view->number, suite->names[suite->view_count] + 2);
	seat->seat = slice_of(same ? suite->names[suite->view_count] : "other");
	suite->view_count++;
}

const char *suite_view(struct seat_suite *suite, int store)
{
	suite->view_count = 0;
	return done(suite, "availability",
		seat_store_availability(
			suite->stores[store], suite->event, remember_view, suite, &suite->found));
}

const char *suite_expect(
	struct seat_suite *suite, int first, int count, enum seat_status status, const char *when)
{
	TRY(suite_view(suite, 1));
	for (int i = first; i < first + count; i++)
		CHECK(suite, (size_t)i < suite->view_count && suite->views[i].status == status,
			"%s: seat %d is %s and not %s", when, i,
			(size_t)i < suite->view_count ? seat_status_name(suite->views[i].status)
						      : "missing",
			seat_status_name(status));
	return NULL;
}

const char *suite_judge(struct seat_suite *suite)
{
	const struct seat_store_factory *factory = suite->factory;
	if (!factory->judge)
		return NULL;
	return factory->judge(factory->context, suite->event, suite->message, suite->message_size);
}

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	bool started;
	struct seat_suite *suite;
	suite_work *work;
	int number;
	void *shared;
	const char *violation;
	char message[256];
};

static void *run_worker(void *context)
{
	struct worker *worker = context;
	worker->violation = worker->work(worker->suite, worker->number, worker->shared);
	return NULL;
}

static const char *start_worker(struct seat_suite *suite, struct worker *worker)
{
	worker->suite = suite_open(suite->factory, 0, 1, worker->message, sizeof worker->message);
	CHECK(suite, worker->suite, "%s", worker->message);
	worker->suite->event = suite->event;
	random_init_stream(
		&worker->suite->random, random_next(&suite->random), (uint64_t)worker->number);
	return NULL;
}

const char *suite_parallel(struct seat_suite *suite, int threads, suite_work *work, void *shared)
{
	struct worker *workers = calloc((size_t)threads, sizeof *workers);
	const char *violation = NULL;
	assert(workers);
	for (int i = 0; i < threads && !violation; i++) {
		workers[i].number = i;
		workers[i].work = work;
		workers[i].shared = shared;
		violation = start_worker(suite, &workers[i]);
	}
	for (int i = 0; i < threads && !violation; i++) {
		workers[i].started =
			pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0;
		if (!workers[i].started)
			violation = suite_violation(suite, "a thread cannot be started");
	}
	for (int i = 0; i < threads; i++) {
		if (workers[i].started)
			pthread_join(workers[i].thread, NULL);
		if (workers[i].violation && !violation)
			violation = suite_violation(suite, "%s", workers[i].violation);
		suite_close(workers[i].suite);
	}
	free(workers);
	return violation;
}
