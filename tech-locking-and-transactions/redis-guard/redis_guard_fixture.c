/* See redis_guard_fixture.h. */
#include "tech-locking-and-transactions/redis-guard/redis_guard_fixture.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/clock.h"

enum { CALL_MS_MAX = 30000, PENDING_MS = 60000, SOLD_MS = 3600000 };

enum status guard_fixture_guard(const struct guard_fixture *fixture, struct seat_store *inner,
	const struct redis_guard_options *options, struct seat_store **store)
{
	struct fault fault = {0};
	struct redis_guard_options patient = *options;
	if (!patient.redis_url)
		patient.redis_url = fixture->redis.url;
	if (patient.call_ms_max == 0)
		patient.call_ms_max = CALL_MS_MAX;
	if (patient.pending_ms == 0)
		patient.pending_ms = PENDING_MS;
	if (patient.sold_ms == 0)
		patient.sold_ms = SOLD_MS;
	enum status status = redis_guard_open(inner, &patient, store, &fault);
	if (status != STATUS_OK)
		fprintf(stderr, "%s: %s\n", fault.where, fault.what);
	return status;
}

struct guard_seat guard_fixture_look(struct redis *redis, struct id event, const char *seat)
{
	static const struct redis_command get = {"HGET", REDIS_READS};
	struct guard_seat looked = {0};
	struct redis_reply *reply = NULL;
	char key[REDIS_KEY_SIZE_MAX], text[ID_TEXT_SIZE], value[128], hold[ID_TEXT_SIZE], state[64];
	long long until_ms;
	id_format(event, text);
	struct slice name = redis_key(key, "sg", slice_of(text), "seats");
	enum status status = redis_execute(
		redis, &get, REDIS_ARGUMENTS(redis_slice(name), redis_text(seat)), &reply);
	assert(status == STATUS_OK);
	struct slice found = redis_get_slice(reply);
	snprintf(value, sizeof value, "%.*s", (int)found.size, found.data ? found.data : "");
	redis_reply_free(reply);
	if (sscanf(value, "%36s %lld %63[^\n]", hold, &until_ms, state) != 3)
		return looked;
	int64_t left_ms = until_ms - clock_wall_ms(clock_system());
	if (left_ms <= 0)
		return looked;
	looked.left_ms = left_ms;
	snprintf(looked.text, sizeof looked.text, "%s %s", hold, state);
	return looked;
}

/* ---- the factory: the inner one's, with a guard before each store ---- */

static enum status guard(
	const struct guard_fixture *fixture, enum status status, struct seat_store **store)
{
	struct seat_store *inner = *store;
	if (status != STATUS_OK)
		return status;
	status = guard_fixture_guard(fixture, inner, &(struct redis_guard_options){0}, store);
	if (status != STATUS_OK)
		seat_store_close(inner);
	return status;
}

static enum status open_store(void *context, struct seat_store **store)
{
	const struct guard_fixture *fixture = context;
	return guard(fixture, fixture->inner->open(fixture->inner->context, store), store);
}

static void advance(void *context, int64_t ms)
{
	const struct guard_fixture *fixture = context;
	fixture->inner->advance(fixture->inner->context, ms);
}

/* Both, Redis first: what it has forgotten or kept must not matter. */
static enum status restart(void *context)
{
	struct guard_fixture *fixture = context;
	enum status status = redis_fixture_kill(&fixture->redis);
	if (status == STATUS_OK)
		status = fixture->inner->restart(fixture->inner->context);
	return status == STATUS_OK ? redis_fixture_start_again(&fixture->redis) : status;
}

static enum status open_faulty(void *context, struct seat_store **store)
{
	const struct guard_fixture *fixture = context;
	return guard(fixture, fixture->inner->open_faulty(fixture->inner->context, store), store);
}

static void lose_answer(void *context)
{
	const struct guard_fixture *fixture = context;
	fixture->inner->lose_answer(fixture->inner->context);
}

static enum status block(void *context, struct id event, struct id hold)
{
	const struct guard_fixture *fixture = context;
	return fixture->inner->block(fixture->inner->context, event, hold);
}

static bool somebody_waits(void *context)
{
	const struct guard_fixture *fixture = context;
	return fixture->inner->somebody_waits(fixture->inner->context);
}

static void unblock(void *context)
{
	const struct guard_fixture *fixture = context;
	fixture->inner->unblock(fixture->inner->context);
}

static const char *judge(void *context, struct id event, char *message, size_t message_size)
{
	const struct guard_fixture *fixture = context;
	return fixture->inner->judge(fixture->inner->context, event, message, message_size);
}

enum status guard_fixture_start(
	struct guard_fixture *fixture, const char *name, const struct seat_store_factory *inner)
{
	*fixture = (struct guard_fixture){.inner = inner,
		.factory = {.name = "redis-guard",
			.context = fixture,
			.open = open_store,
			.advance = advance,
			.restart = inner->restart ? restart : NULL,
			.open_faulty = inner->open_faulty ? open_faulty : NULL,
			.lose_answer = inner->lose_answer ? lose_answer : NULL,
			.block = inner->block ? block : NULL,
			.somebody_waits = inner->somebody_waits ? somebody_waits : NULL,
			.unblock = inner->unblock ? unblock : NULL,
			.judge = inner->judge ? judge : NULL}};
	return redis_fixture_start(&fixture->redis, name);
}

void guard_fixture_stop(struct guard_fixture *fixture)
{
	redis_fixture_stop(&fixture->redis);
}
