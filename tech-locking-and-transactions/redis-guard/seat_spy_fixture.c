/* See seat_spy_fixture.h. */
#include "tech-locking-and-transactions/redis-guard/seat_spy_fixture.h"

static struct seat_spy *spy_of(struct seat_store *store)
{
	return (struct seat_spy *)store;
}

static const struct seat_store_traits *spy_traits(const struct seat_store *store)
{
	return seat_store_traits(((const struct seat_spy *)store)->inner);
}

static enum status spy_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	return seat_store_stock(spy_of(store)->inner, event, currency, seats, count);
}

static void call_once(void (**function)(void *context), void *context)
{
	void (*now)(void *) = *function;
	*function = NULL;
	if (now)
		now(context);
}

static enum status spy_hold(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	struct seat_spy *spy = spy_of(store);
	enum status instead = spy->status;
	spy->status = STATUS_OK;
	spy->calls++;
	spy->holds += (int64_t)count;
	call_once(&spy->before, spy->context);
	if (instead != STATUS_OK && instead != STATUS_UNKNOWN)
		return instead;
	enum status status = seat_store_hold(spy->inner, requests, results, count);
	call_once(&spy->after, spy->context);
	return instead == STATUS_OK ? status : instead;
}

static enum status spy_sell(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	return seat_store_sell(spy_of(store)->inner, requests, results, count);
}

static enum status spy_release(struct seat_store *store, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	return seat_store_release(spy_of(store)->inner, requests, outcomes, count);
}

static enum status spy_revoke(struct seat_store *store, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	return seat_store_revoke(spy_of(store)->inner, requests, outcomes, count);
}

static enum status spy_expire(
	struct seat_store *store, size_t max, struct hold_name expired[], size_t *count)
{
	return seat_store_expire(spy_of(store)->inner, max, expired, count);
}

static enum status spy_look_up(struct seat_store *store, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena)
{
	return seat_store_look_up(spy_of(store)->inner, names, records, count, arena);
}

static enum status spy_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found)
{
	return seat_store_availability(spy_of(store)->inner, event, visit, context, found);
}

static void spy_close(struct seat_store *store)
{
	seat_store_close(spy_of(store)->inner);
}

struct seat_store *seat_spy_init(struct seat_spy *spy, struct seat_store *inner)
{
	static const struct seat_store_ops ops = {.traits = spy_traits,
		.stock = spy_stock,
		.hold = spy_hold,
		.sell = spy_sell,
		.release = spy_release,
		.revoke = spy_revoke,
		.expire = spy_expire,
		.look_up = spy_look_up,
		.availability = spy_availability,
		.close = spy_close};
	*spy = (struct seat_spy){.base = {.ops = &ops}, .inner = inner, .status = STATUS_OK};
	return &spy->base;
}
