/* See seat_checkout_fixture.h. */
#include "tech-locking-and-transactions/seat_checkout_fixture.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char fake_bank[] = "https://bank.example/prove";

struct fake_order {
	struct buy_request request; /* Its slices point to what follows. */
	char person[LIMIT_ID_SIZE_MAX], method[CHECKOUT_METHOD_SIZE_MAX];
	enum buy_outcome outcome;
	enum order_status status;
	struct money total;
};

struct fake_orders {
	pthread_mutex_t mutex;
	struct fake_order orders[FAKE_ORDERS_MAX];
	size_t count, paid, recoveries;
	bool approved;
};

struct fake_checkout {
	struct checkout base;
	struct fake_orders *orders;
	struct seat_store *store;
};

struct fake_orders *fake_orders_new(void)
{
	struct fake_orders *orders = calloc(1, sizeof *orders);
	assert(orders);
	pthread_mutex_init(&orders->mutex, NULL);
	return orders;
}

void fake_orders_free(struct fake_orders *orders)
{
	pthread_mutex_destroy(&orders->mutex);
	free(orders);
}

void fake_orders_approve(struct fake_orders *orders)
{
	pthread_mutex_lock(&orders->mutex);
	orders->approved = true;
	pthread_mutex_unlock(&orders->mutex);
}

size_t fake_orders_paid(struct fake_orders *orders)
{
	pthread_mutex_lock(&orders->mutex);
	size_t paid = orders->paid;
	pthread_mutex_unlock(&orders->mutex);
	return paid;
}

size_t fake_orders_recoveries(struct fake_orders *orders)
{
	pthread_mutex_lock(&orders->mutex);
	size_t recoveries = orders->recoveries;
	pthread_mutex_unlock(&orders->mutex);
	return recoveries;
}

/* ---- One purchase; the mutex is held ---- */

static struct fake_order *find(struct fake_orders *orders, const struct buy_request *request)
{
	for (size_t i = 0; i < orders->count; i++)
		if (seat_ids_equal(orders->orders[i].request.event, request->event) &&
			seat_ids_equal(orders->orders[i].request.order, request->order))
			return &orders->orders[i];
	return NULL;
}

static struct fake_order *add(struct fake_orders *orders, const struct buy_request *request,
	const struct hold_record *hold)
{
	assert(orders->count < FAKE_ORDERS_MAX);
	struct fake_order *order = &orders->orders[orders->count++];
	*order = (struct fake_order){
		.request = *request, .outcome = BUY_PENDING, .status = ORDER_AUTHORIZING};
	memcpy(order->person, request->person.data, request->person.size);
	memcpy(order->method, request->payment_method.data, request->payment_method.size);
	order->request.person.data = order->person;
	order->request.payment_method.data = order->method;
	order->total = hold->total;
	return order;
}

static void end(struct fake_order *order, enum buy_outcome outcome, enum order_status status)
{
	order->outcome = outcome;
	order->status = status;
}

static enum status sell(
	struct fake_checkout *checkout, struct fake_order *order, const struct hold_record *hold)
{
	const struct sell_request request = {.event = order->request.event,
		.hold = order->request.hold,
		.person = order->request.person,
		.version = hold->version,
		.order = order->request.order};
	struct sell_result result;
	enum status status = seat_store_sell(checkout->store, &request, &result, 1);
	if (status != STATUS_OK)
		return status;
	if (result.outcome == SELL_SOLD) {
		end(order, BUY_PAID, ORDER_PAID);
		checkout->orders->paid++;
	} else if (result.outcome == SELL_OTHER_ORDER) {
		end(order, BUY_OTHER_ORDER, ORDER_CANCELED);
	} else {
		end(order, BUY_EXPIRED, ORDER_EXPIRED);
	}
	return STATUS_OK;
}

static enum status go_on(
	struct fake_checkout *checkout, struct fake_order *order, const struct hold_record *hold)
{
	struct slice method = order->request.payment_method;
	if (order->outcome != BUY_PENDING && order->outcome != BUY_REQUIRES_ACTION)
		return STATUS_OK;
	if (slice_is(method, "pm_declined"))
		end(order, BUY_DECLINED, ORDER_DECLINED);
	else if (slice_is(method, "pm_action") && !checkout->orders->approved)
		end(order, BUY_REQUIRES_ACTION, ORDER_REQUIRES_ACTION);
	else if (!slice_is(method, "pm_stuck") &&
		(!slice_is(method, "pm_pending") || checkout->orders->approved))
		return sell(checkout, order, hold);
	return STATUS_OK;
}

static void tell(const struct fake_order *order, const struct hold_record *hold,
	struct buy_result *result, struct arena *arena)
{
	*result = (struct buy_result){
		.outcome = order->outcome, .status = order->status, .total = order->total};
	if (order->outcome == BUY_DECLINED)
		memcpy(result->reason, "card_declined", sizeof "card_declined");
	if (order->outcome == BUY_REQUIRES_ACTION)
		memcpy(result->action_url, fake_bank, sizeof fake_bank);
	if (order->outcome != BUY_PAID)
		return;
	result->tickets = arena_calloc(arena, hold->seat_count, sizeof *result->tickets);
	assert(result->tickets);
	result->ticket_count = hold->seat_count;
	for (size_t i = 0; i < hold->seat_count; i++)
		result->tickets[i] = (struct buy_ticket){
			.ticket = seat_ticket_id(order->request.order, hold->seats[i]),
			.seat = hold->seats[i]};
}

static enum status buy_one(struct fake_checkout *checkout, const struct buy_request *request,
	struct buy_result *result, struct arena *arena)
{
	struct hold_name name = {request->event, request->hold};
	struct hold_record hold;
	struct fake_order *order = find(checkout->orders, request);
	enum status status = seat_store_look_up(checkout->store, &name, &hold, 1, arena);
	if (status != STATUS_OK)
		return status;
	*result = (struct buy_result){.outcome = BUY_OTHER_REQUEST};
	if (order &&
		(!seat_ids_equal(order->request.hold, request->hold) ||
			!slice_equal(order->request.person, request->person) ||
			!slice_equal(order->request.payment_method, request->payment_method)))
		return STATUS_OK;
	if (!order && (hold.state == HOLD_NONE || hold.state == HOLD_RELEASED))
		result->outcome = BUY_NOT_HELD;
	else if (!order && !slice_equal(hold.person, request->person))
		result->outcome = BUY_NOT_YOURS;
	else if (!order && hold.state == HOLD_EXPIRED)
		result->outcome = BUY_EXPIRED;
	else if (!order && hold.state != HOLD_LIVE)
		result->outcome = BUY_OTHER_ORDER;
	else if (!order)
		order = add(checkout->orders, request, &hold);
	if (!order)
		return STATUS_OK;
	status = go_on(checkout, order, &hold);
	tell(order, &hold, result, arena);
	return status;
}

/* ---- The operations ---- */

static const struct checkout_traits *traits(const struct checkout *checkout)
{
	static const struct checkout_traits fake = {
		.name = "fake", .one_transaction = true, .batch_max = FAKE_BATCH_MAX};
	(void)checkout;
	return &fake;
}

static enum status buy(struct checkout *base, const struct buy_request requests[],
	struct buy_result results[], size_t count, struct arena *arena)
{
	struct fake_checkout *checkout = (struct fake_checkout *)base;
	enum status status = STATUS_OK;
	assert(count >= 1 && count <= FAKE_BATCH_MAX);
	pthread_mutex_lock(&checkout->orders->mutex);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = buy_one(checkout, &requests[i], &results[i], arena);
	pthread_mutex_unlock(&checkout->orders->mutex);
	return status;
}

static enum status look_up(struct checkout *base, const struct buy_request requests[],
	struct buy_result results[], size_t count, struct arena *arena)
{
	struct fake_checkout *checkout = (struct fake_checkout *)base;
	enum status status = STATUS_OK;
	assert(count >= 1 && count <= FAKE_BATCH_MAX);
	pthread_mutex_lock(&checkout->orders->mutex);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct fake_order *order = find(checkout->orders, &requests[i]);
		struct hold_record hold;
		results[i] = (struct buy_result){.outcome = BUY_NOT_HELD};
		if (!order)
			continue;
		struct hold_name name = {order->request.event, order->request.hold};
		status = seat_store_look_up(checkout->store, &name, &hold, 1, arena);
		if (status == STATUS_OK)
			tell(order, &hold, &results[i], arena);
	}
	pthread_mutex_unlock(&checkout->orders->mutex);
	return status;
}

static enum status recover(struct checkout *base, size_t max, struct recovery *recovery)
{
	struct fake_checkout *checkout = (struct fake_checkout *)base;
	(void)max;
	*recovery = (struct recovery){0};
	pthread_mutex_lock(&checkout->orders->mutex);
	checkout->orders->recoveries++;
	for (size_t i = 0; i < checkout->orders->count; i++) {
		const struct fake_order *order = &checkout->orders->orders[i];
		if (order->outcome == BUY_PENDING)
			*(slice_is(order->request.payment_method, "pm_stuck") ? &recovery->stuck
									      : &recovery->open) +=
				1;
	}
	pthread_mutex_unlock(&checkout->orders->mutex);
	return STATUS_OK;
}

static enum status stuck(struct checkout *base, size_t max, struct stuck_order orders[],
	size_t *count, struct arena *arena)
{
	struct fake_checkout *checkout = (struct fake_checkout *)base;
	(void)arena;
	*count = 0;
	pthread_mutex_lock(&checkout->orders->mutex);
	for (size_t i = 0; i < checkout->orders->count && *count < max; i++) {
		const struct fake_order *order = &checkout->orders->orders[i];
		if (order->outcome == BUY_PENDING &&
			slice_is(order->request.payment_method, "pm_stuck"))
			orders[(*count)++] = (struct stuck_order){.event = order->request.event,
				.order = order->request.order,
				.status = order->status,
				.note = slice_of("the provider says \"no\""),
				.reference = slice_of("pi_1"),
				.since_ms = 1700000000000};
	}
	pthread_mutex_unlock(&checkout->orders->mutex);
	return STATUS_OK;
}

static void close_checkout(struct checkout *base)
{
	struct fake_checkout *checkout = (struct fake_checkout *)base;
	seat_store_close(checkout->store);
	free(checkout);
}

struct checkout *fake_checkout_open(struct fake_orders *orders, struct seat_store *store)
{
	static const struct checkout_ops ops = {.traits = traits,
		.buy = buy,
		.look_up = look_up,
		.recover = recover,
		.stuck = stuck,
		.close = close_checkout};
	struct fake_checkout *checkout = calloc(1, sizeof *checkout);
	assert(checkout);
	*checkout = (struct fake_checkout){.base = {.ops = &ops}, .orders = orders, .store = store};
	return &checkout->base;
}
