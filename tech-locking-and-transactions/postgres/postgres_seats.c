/* Opening, closing, and what all statements have in common. */
#include "tech-locking-and-transactions/postgres/postgres_seats.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"
#include "tech-locking-and-transactions/postgres/shared.sql.h"
#include "tech-locking-and-transactions/schema/seat_store.sql.h"

enum { ARENA_BYTES_MAX = 4 << 20, PAUSE_MS_MAX = 20 };

/* Of a batched session. The plans are to be look-ups by primary key whatever the tables' size, and
 * made once: to plan such a statement takes as long as to run it. */
static const char batched_settings[] =
	"-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c jit=off";

static const char *const technique_names[POSTGRES_SEATS_TECHNIQUE_COUNT] = {
	[POSTGRES_SEATS_BATCHED] = "batched",
	[POSTGRES_SEATS_PESSIMISTIC] = "pessimistic",
	[POSTGRES_SEATS_OPTIMISTIC] = "optimistic",
};

static const struct seat_store_ops techniques[POSTGRES_SEATS_TECHNIQUE_COUNT];

static void close_store(struct seat_store *base)
{
	struct postgres_seats *store = seats_of(base);
	postgres_close(store->pg);
	arena_release(&store->arena);
	free(store->keys.slots);
	free(store);
}

static bool tables_exist(struct postgres_seats *store)
{
	static const struct postgres_statement exist = {
		.name = "seats_tables_exist", .sql = shared_tables_exist, .effect = POSTGRES_READS};
	struct postgres_result rows;
	bool found =
		postgres_execute(store->pg, &exist, POSTGRES_NO_PARAMETERS, &rows) == STATUS_OK &&
		postgres_get_boolean(&rows, 0, 0);
	postgres_result_release(&rows);
	return found;
}

static enum status make_tables(struct postgres_seats *store, struct fault *fault)
{
	enum status status = postgres_connect(store->pg, fault);
	if (status != STATUS_OK || tables_exist(store))
		return status;
	/* Two that start at once may both be told that they met the other. */
	for (int attempt = 0; attempt < SEATS_ATTEMPTS_MAX; attempt++) {
		status = postgres_run_script(store->pg, seats_schema);
		if (status != STATUS_UNAVAILABLE)
			break;
	}
	if (status == STATUS_UNKNOWN)
		status = STATUS_UNAVAILABLE; /* Making them again does no harm. */
	if (status != STATUS_OK)
		fault_set(fault, "tables", "%s", postgres_error(store->pg)->message);
	return status;
}

enum status postgres_seats_open(
	const struct postgres_seats_options *options, struct seat_store **base, struct fault *fault)
{
	static const char *const names[POSTGRES_SEATS_TECHNIQUE_COUNT] = {
		"postgres-batched", "postgres-pessimistic", "postgres-optimistic"};
	assert((unsigned)options->technique < POSTGRES_SEATS_TECHNIQUE_COUNT);
	bool batched = options->technique == POSTGRES_SEATS_BATCHED;
	struct postgres_options connection = {.url = options->url,
		.application_name = options->application_name,
		.settings = batched ? batched_settings : NULL,
		.call_ms_max = options->call_ms_max,
		.lock_ms_max = options->lock_ms_max,
		.fail_fast = options->fail_fast};
	struct postgres_seats *store = calloc(1, sizeof *store);
	if (!store)
		return STATUS_UNAVAILABLE;
	store->base.ops = &techniques[options->technique];
	store->isolation = options->isolation;
	store->traits = (struct seat_store_traits){.name = names[options->technique],
		.durable = true,
		.exact_expiry = true,
		.reads_latest = true,
		.exact_refusals = true,
		.batch_max = SEAT_STORE_BATCH_MAX};
	arena_init(&store->arena, ARENA_BYTES_MAX);
	store->keys.slots = calloc(SEATS_KEYS_SIZE, sizeof *store->keys.slots);
	store->pg = postgres_open(&connection);
	enum status status = STATUS_UNAVAILABLE;
	if (store->keys.slots && store->pg)
		status = make_tables(store, fault);
	if (status != STATUS_OK) {
		close_store(&store->base);
		return status;
	}
	*base = &store->base;
	return STATUS_OK;
}

const char *postgres_seats_technique_name(enum postgres_seats_technique technique)
{
	assert((unsigned)technique < POSTGRES_SEATS_TECHNIQUE_COUNT);
	return technique_names[technique];
}

bool postgres_seats_technique_parse(struct slice name, enum postgres_seats_technique *technique)
{
	for (int i = 0; i < POSTGRES_SEATS_TECHNIQUE_COUNT; i++) {
		if (slice_is(name, technique_names[i])) {
			*technique = (enum postgres_seats_technique)i;
			return true;
		}
	}
	return false;
}

static const struct seat_store_traits *traits_of(const struct seat_store *store)
{
	return &((const struct postgres_seats *)store)->traits;
}

/* ---- statements ---- */

/* A short while, another one for each connection. */
static void pause_a_little(int attempt)
{
	uint8_t random;
	random_bytes(&random, sizeof random);
	int64_t us = (int64_t)random * 20 * (attempt + 1);
	if (us > PAUSE_MS_MAX * 1000)
		us = PAUSE_MS_MAX * 1000;
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

enum status seats_execute(struct postgres_seats *store, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t parameter_count,
	struct postgres_result *result)
{
	for (int attempt = 1;; attempt++) {
		enum status status = postgres_execute(
			store->pg, seats_weaken(statement), parameters, parameter_count, result);
		if (status != STATUS_UNAVAILABLE || attempt == SEATS_ATTEMPTS_MAX ||
			postgres_error(store->pg)->class != POSTGRES_RETRY)
			return status;
		postgres_result_release(result);
		pause_a_little(attempt);
	}
}

enum status seats_answer(const struct postgres_seats *store, enum status status)
{
	return status == STATUS_UNAVAILABLE && store->applied ? STATUS_UNKNOWN : status;
}

bool seats_data_failed(const struct postgres *pg, enum status status)
{
	return status == STATUS_REFUSED && postgres_error(pg)->class == POSTGRES_DATA;
}

enum sell_outcome seats_sell_outcome(struct slice name)
{
	for (int outcome = SELL_SOLD; outcome < SELL_MALFORMED; outcome++)
		if (slice_is(name, sell_outcome_name((enum sell_outcome)outcome)))
			return (enum sell_outcome)outcome;
	return SELL_SOLD; /* "sell" */
}

#define COMMON_OPERATIONS \
	.traits = traits_of, .stock = seats_stock, .release = seats_release, \
	.revoke = seats_revoke, .expire = seats_expire, .look_up = seats_look_up, \
	.availability = seats_availability, .close = close_store

static const struct seat_store_ops techniques[POSTGRES_SEATS_TECHNIQUE_COUNT] = {
	[POSTGRES_SEATS_BATCHED] = {COMMON_OPERATIONS, .hold = seats_hold_batched,
		.sell = seats_sell_batched},
	[POSTGRES_SEATS_PESSIMISTIC] = {COMMON_OPERATIONS, .hold = seats_hold_pessimistic,
		.sell = seats_sell_pessimistic},
	[POSTGRES_SEATS_OPTIMISTIC] = {COMMON_OPERATIONS, .hold = seats_hold_optimistic,
		.sell = seats_sell_optimistic},
};
