/* Random operations on two technologies at once: they must agree. Part of the suite.
 *
 * Everything that comes back is compared but the times, since each has a clock of its own. A hold
 * lasts for an hour or a millisecond; a brief one is made in a call of its own, after which both
 * sides let it end, so that it does not depend on how quick the machine is. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

enum {
	SIDES = 2,
	SEATS = 30,
	BATCH = 24,
	REMEMBERED = 400, /* Requests that may be repeated, sold, released. */
	RECENT = 16,      /* Grants and sales of late, from which is drawn more often. */
	NOTE_SIZE = 64,
};

/* A hold that was asked for, granted or not. */
struct remembered {
	struct suite_ask ask;
	int64_t version;
	struct id order;
};

struct pair {
	struct seat_suite *sides[SIDES]; /* The oracle's first. */
	struct random random;
	struct remembered holds[REMEMBERED];
	size_t hold_count; /* Grows; the oldest are forgotten. */
	struct remembered granted[RECENT];
	size_t granted_count; /* Likewise. */
	struct id sold[RECENT];
	size_t sold_count;
	int operation; /* How many were done; a call of several is several. */
	const char *name;
};

static const char *disagree(struct pair *pair, const char *what)
{
	struct seat_suite *suite = pair->sides[1];
	char copy[256];
	snprintf(copy, sizeof copy, "%s", what);
	return suite_violation(suite, "operation %d (%s): %s", pair->operation, pair->name, copy);
}

__attribute__((format(printf, 2, 3))) static const char *differ(
	struct pair *pair, const char *format, ...)
{
	char what[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	return disagree(pair, what);
}

#define AGREE(pair, condition, ...) \
	do { \
		if (!(condition)) \
			return differ(pair, __VA_ARGS__); \
	} while (0)

/* One call on both sides. */
#define BOTH(pair, call) \
	do { \
		for (int side_ = 0; side_ < SIDES; side_++) { \
			struct seat_suite *suite = (pair)->sides[side_]; \
			const char *failed_ = (call); \
			if (failed_) \
				return disagree(pair, failed_); \
		} \
	} while (0)

static int draw(struct pair *pair, int bound)
{
	return (int)random_below(&pair->random, (uint64_t)bound);
}

static struct id draw_id(struct pair *pair)
{
	return suite_id(pair->sides[0]);
}

static struct remembered *draw_hold(struct pair *pair)
{
	size_t known = pair->hold_count < REMEMBERED ? pair->hold_count : REMEMBERED;
	return &pair->holds[(pair->hold_count - 1 - random_below(&pair->random, known)) %
		REMEMBERED];
}

/* Without these most of what is asked would be about holds that have ended long ago, and soon all
 * seats would be sold for good. */
static const struct remembered *draw_granted(struct pair *pair)
{
	size_t known = pair->granted_count < RECENT ? pair->granted_count : RECENT;
	if (known == 0 || draw(pair, 5) == 0)
		return draw_hold(pair);
	return &pair->granted[random_below(&pair->random, known)];
}

static struct id draw_order(struct pair *pair)
{
	size_t known = pair->sold_count < RECENT ? pair->sold_count : RECENT;
	if (known == 0 || draw(pair, 8) == 0)
		return draw_hold(pair)->order;
	return pair->sold[random_below(&pair->random, known)];
}

static const char *draw_person(struct pair *pair)
{
	static const char *const people[] = {"ann", "bob", "eve"};
	return people[draw(pair, 3)];
}

/* ---- operations ---- */

static struct remembered *new_hold(struct pair *pair)
{
	struct remembered *hold = &pair->holds[pair->hold_count++ % REMEMBERED];
	int count = 1 + draw(pair, 4);
	*hold = (struct remembered){.ask = {.hold = draw_id(pair),
					    .person = draw_person(pair),
					    .first = draw(pair, SEATS + 1),
					    .count = count,
					    .reverse = draw(pair, 2) == 0},
		.order = draw_id(pair)};
	return hold;
}

static const char *same_holds(struct pair *pair, struct remembered *holds[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct hold_result *a = &pair->sides[0]->held[i];
		const struct hold_result *b = &pair->sides[1]->held[i];
		AGREE(pair, a->outcome == b->outcome && a->which == b->which,
			"hold %zu of %zu: %s and %s, which %" PRIx64 " and %" PRIx64, i, count,
			hold_outcome_name(a->outcome), hold_outcome_name(b->outcome), a->which,
			b->which);
		if (a->outcome != HOLD_GRANTED)
			continue;
		AGREE(pair, a->version == b->version && a->total == b->total,
			"hold %zu of %zu: version %" PRId64 " and %" PRId64 ", total %" PRId64
			" and %" PRId64,
			i, count, a->version, b->version, a->total, b->total);
		holds[i]->version = a->version;
		pair->granted[pair->granted_count++ % RECENT] = *holds[i];
	}
	return NULL;
}

static const char *hold_both(struct pair *pair)
{
	struct remembered *holds[BATCH];
	size_t count = (size_t)draw(pair, BATCH) + 1;
	int store = draw(pair, SUITE_STORES);
	for (size_t i = 0; i < count; i++) {
		bool again = pair->hold_count > 0 && random_chance(&pair->random, 1, 6);
		holds[i] = again ? draw_hold(pair) : new_hold(pair);
		struct suite_ask ask = holds[i]->ask;
		ask.hold_ms =
			0; /* Whether a brief one has ended would depend on the batch's time. */
		if (again && random_chance(&pair->random, 1, 6))
			ask.first = draw(pair, SEATS);
		for (int side = 0; side < SIDES; side++)
			suite_ask(pair->sides[side], i, &ask);
	}
	pair->operation += (int)count;
	BOTH(pair, suite_hold(suite, store, count));
	return same_holds(pair, holds, count);
}

static const char *hold_briefly(struct pair *pair)
{
	bool again = pair->hold_count > 0 && random_chance(&pair->random, 1, 4);
	struct remembered *hold = again ? draw_hold(pair) : new_hold(pair);
	int store = draw(pair, SUITE_STORES);
	struct suite_ask ask = hold->ask;
	ask.hold_ms = 1;
	pair->operation++;
	BOTH(pair, suite_hold_one(suite, store, &ask));
	for (int side = 0; side < SIDES; side++)
		suite_pass(pair->sides[side], suite_now_ms(pair->sides[side]) + 2);
	return same_holds(pair, &hold, 1);
}

static const char *sell_both(struct pair *pair)
{
	size_t count = (size_t)draw(pair, BATCH / 3) + 1;
	int store = draw(pair, SUITE_STORES);
	for (size_t i = 0; i < count; i++) {
		const struct remembered *hold = draw_granted(pair);
		struct sell_request request = {.hold = hold->ask.hold,
			.person = slice_of(hold->ask.person),
			.version = hold->version + (draw(pair, 12) == 0),
			.order = draw(pair, 12) == 0 ? draw_order(pair) : hold->order};
		if (draw(pair, 12) == 0)
			request.person = slice_of(draw_person(pair));
		for (int side = 0; side < SIDES; side++) {
			request.event = pair->sides[side]->event;
			pair->sides[side]->sells[i] = request;
		}
	}
	pair->operation += (int)count;
	BOTH(pair, suite_sell(suite, store, count));
	for (size_t i = 0; i < count; i++) {
		const struct sell_result *a = &pair->sides[0]->sold[i];
		const struct sell_result *b = &pair->sides[1]->sold[i];
		AGREE(pair, a->outcome == b->outcome, "sale %zu of %zu: %s and %s", i, count,
			sell_outcome_name(a->outcome), sell_outcome_name(b->outcome));
		AGREE(pair, a->outcome != SELL_SOLD || a->total == b->total,
			"sale %zu: total %" PRId64 " and %" PRId64, i, a->total, b->total);
		if (a->outcome == SELL_SOLD)
			pair->sold[pair->sold_count++ % RECENT] = pair->sides[0]->sells[i].order;
	}
	return NULL;
}

static const char *release_both(struct pair *pair)
{
	size_t count = (size_t)draw(pair, BATCH / 3) + 1;
	int store = draw(pair, SUITE_STORES);
	for (size_t i = 0; i < count; i++) {
		const struct remembered *hold = draw_granted(pair);
		struct release_request request = {.hold = hold->ask.hold,
			.person = slice_of(
				draw(pair, 8) == 0 ? draw_person(pair) : hold->ask.person)};
		for (int side = 0; side < SIDES; side++) {
			request.event = pair->sides[side]->event;
			pair->sides[side]->releases[i] = request;
		}
	}
	pair->operation += (int)count;
	BOTH(pair, suite_release(suite, store, count));
	for (size_t i = 0; i < count; i++)
		AGREE(pair, pair->sides[0]->released[i] == pair->sides[1]->released[i],
			"release %zu of %zu: %s and %s", i, count,
			release_outcome_name(pair->sides[0]->released[i]),
			release_outcome_name(pair->sides[1]->released[i]));
	return NULL;
}

static const char *revoke_both(struct pair *pair)
{
	struct id order = draw_order(pair);
	int store = draw(pair, SUITE_STORES);
	pair->operation++;
	BOTH(pair, suite_revoke_one(suite, store, order));
	AGREE(pair, pair->sides[0]->revoked[0] == pair->sides[1]->revoked[0], "%d and %d",
		(int)pair->sides[0]->revoked[0], (int)pair->sides[1]->revoked[0]);
	return NULL;
}

/* All of them: other events of the same service may have holds that ended earlier. */
static const char *expire_both(struct pair *pair)
{
	size_t counts[SIDES] = {0};
	int store = draw(pair, SUITE_STORES);
	pair->operation++;
	for (int side = 0; side < SIDES; side++) {
		struct seat_suite *suite = pair->sides[side];
		do {
			const char *failed = suite_expire(suite, store, BATCH);
			if (failed)
				return disagree(pair, failed);
			for (size_t i = 0; i < suite->expired_count; i++)
				counts[side] +=
					seat_ids_equal(suite->expired[i].event, suite->event);
		} while (suite->expired_count == BATCH);
	}
	AGREE(pair, counts[0] == counts[1], "%zu and %zu", counts[0], counts[1]);
	return NULL;
}

static const char *look_up_both(struct pair *pair)
{
	struct id hold = draw_granted(pair)->ask.hold;
	int store = draw(pair, SUITE_STORES);
	pair->operation++;
	BOTH(pair, suite_look_up(suite, store, hold));
	const struct hold_record *a = &pair->sides[0]->records[0];
	const struct hold_record *b = &pair->sides[1]->records[0];
	AGREE(pair, a->state == b->state, "%s and %s", hold_state_name(a->state),
		hold_state_name(b->state));
	AGREE(pair,
		a->version == b->version && a->total.minor == b->total.minor &&
			seat_ids_equal(a->order, b->order) && slice_equal(a->person, b->person) &&
			a->seat_count == b->seat_count,
		"version %" PRId64 " and %" PRId64 ", %zu and %zu seats", a->version, b->version,
		a->seat_count, b->seat_count);
	for (size_t i = 0; i < a->seat_count; i++)
		AGREE(pair, slice_equal(a->seats[i], b->seats[i]), "seat %zu", i);
	return NULL;
}

static const char *view_both(struct pair *pair)
{
	int store = draw(pair, SUITE_STORES);
	pair->operation++;
	BOTH(pair, suite_view(suite, store));
	AGREE(pair, pair->sides[0]->view_count == pair->sides[1]->view_count, "%zu and %zu seats",
		pair->sides[0]->view_count, pair->sides[1]->view_count);
	for (size_t i = 0; i < pair->sides[0]->view_count; i++) {
		const struct seat_view *a = &pair->sides[0]->views[i];
		const struct seat_view *b = &pair->sides[1]->views[i];
		AGREE(pair,
			a->status == b->status && a->version == b->version && a->price == b->price,
			"seat %zu is %s and %s, version %" PRId64 " and %" PRId64, i,
			seat_status_name(a->status), seat_status_name(b->status), a->version,
			b->version);
	}
	return NULL;
}

static const char *operate(struct pair *pair)
{
	static const struct {
		const char *name;
		const char *(*run)(struct pair *);
		int weight;
	} operations[] = {{"hold", hold_both, 30}, {"hold briefly", hold_briefly, 6},
		{"sell", sell_both, 12}, {"release", release_both, 16}, {"revoke", revoke_both, 14},
		{"expire", expire_both, 4}, {"look up", look_up_both, 12}, {"view", view_both, 6}};
	int at = draw(pair, 100);
	size_t which = 0;
	for (; at >= operations[which].weight; which++)
		at -= operations[which].weight;
	pair->name = operations[which].name;
	return operations[which].run(pair);
}

static const char *run_pair(struct pair *pair, int operations)
{
	BOTH(pair, suite_stock(suite, SEATS));
	TRY(hold_both(pair));
	while (pair->operation < operations)
		TRY(operate(pair));
	pair->name = "end";
	TRY(view_both(pair));
	BOTH(pair, suite_judge(suite));
	return NULL;
}

const char *seat_store_agree(
	const struct seat_store_agreement *agreement, char *message, size_t message_size)
{
	uint64_t seed = agreement->seed ? agreement->seed : random_seed();
	struct pair *pair = calloc(1, sizeof *pair);
	const char *violation = message;
	snprintf(message, message_size, "the two cannot be opened");
	if (!pair)
		return message;
	random_init(&pair->random, seed);
	pair->name = "begin";
	pair->sides[0] = suite_open(agreement->oracle, seed, SUITE_STORES, message, message_size);
	pair->sides[1] = suite_open(agreement->subject, seed, SUITE_STORES, message, message_size);
	if (pair->sides[0] && pair->sides[1])
		violation = run_pair(pair, agreement->operations);
	suite_close(pair->sides[0]);
	suite_close(pair->sides[1]);
	free(pair);
	return violation;
}

/* ---- as tests ---- */

enum { SEEDS_MAX = 20 };

struct seeded {
	struct seat_store_agreement agreement;
	char name[NOTE_SIZE];
};

static void run_seed(void **state)
{
	const struct seeded *seeded = *state;
	char message[512];
	const char *violation = seat_store_agree(&seeded->agreement, message, sizeof message);
	if (violation)
		fail_msg("%s: %s", seeded->name, violation);
}

int seat_store_agreement(
	const struct seat_store_factory *oracle, const struct seat_store_factory *subject)
{
	struct seeded seeds[SEEDS_MAX];
	struct CMUnitTest tests[SEEDS_MAX];
	bool full = getenv("ONSALE_FULL") != NULL;
	size_t count = full ? SEEDS_MAX : 2;
	for (size_t i = 0; i < count; i++) {
		seeds[i].agreement = (struct seat_store_agreement){.oracle = oracle,
			.subject = subject,
			.seed = random_seed() + i,
			.operations = full ? 10000 : 2500};
		snprintf(seeds[i].name, sizeof seeds[i].name, "agreement, seed 0x%" PRIx64,
			seeds[i].agreement.seed);
		tests[i] = (struct CMUnitTest){
			.name = seeds[i].name, .test_func = run_seed, .initial_state = &seeds[i]};
	}
	return _cmocka_run_group_tests(subject->name, tests, count, NULL, NULL);
}
