/* Buying what is held: seats, order, charge and tickets in one transaction. */
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "simplest-implementation/app.h"
#include "simplest-implementation/payment_stand_in.h"
#include "simplest-implementation/statements.sql.h"

STATEMENT(hold_lock);
STATEMENT(hold_lock_seats);
STATEMENT_READS(hold_count_alive);
STATEMENT(hold_end);
STATEMENT(seats_sell);
STATEMENT(order_insert);
STATEMENT(charge_insert);
STATEMENT(tickets_insert);
STATEMENT_READS(order_of_hold);
STATEMENT_READS(order_read_one);

static const struct http_problem hold_expired = {
	410, "hold-expired", "The hold's time is over, or it was released"};
static const struct http_problem payment_declined = {
	402, "payment-declined", "The payment was declined; the seats stay held"};

struct purchase {
	struct http_fields *fields;
	struct id event, hold;
	struct slice payment_method;
};

/* The hold as it was when it was locked. */
struct held {
	struct slice status, currency, user;
	int64_t total;
	int32_t seat_count;
};

static enum status purchase_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context);
static enum status buy(struct http_exchange *exchange, struct postgres *pg,
	const struct purchase *purchase, const struct held *held);
static enum status reply_order(
	struct http_exchange *exchange, struct postgres *pg, struct id event, struct id order);

void hold_purchase(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct purchase purchase = {.fields = &fields};
	http_fields_begin(&fields, exchange);
	purchase.payment_method = http_field_id(&fields, "paymentMethod");
	if (!http_fields_end(&fields))
		return;
	if (!app_item_parse(http_parameter(exchange, "holdId"), &purchase.event, &purchase.hold)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such hold.");
		return;
	}
	app_write(exchange,
		&(struct app_write){
			.key = HTTP_KEY_REQUIRED, .work = purchase_work, .input = &purchase});
}

/* What a hold that is no longer held leads to: the same tickets again, or 410. */
static enum status reply_ended(struct http_exchange *exchange, struct postgres *pg,
	const struct purchase *purchase, const struct held *held)
{
	if (!slice_is(held->status, "sold")) {
		http_reply_problem(exchange, &hold_expired, NULL);
		return STATUS_OK;
	}
	struct postgres_result result;
	enum status status = postgres_execute(pg, &order_of_hold,
		POSTGRES_PARAMETERS(postgres_uuid(purchase->event), postgres_uuid(purchase->hold)),
		&result);
	if (status == STATUS_OK)
		status = reply_order(
			exchange, pg, purchase->event, postgres_get_uuid(&result, 0, 0));
	postgres_result_release(&result);
	return status;
}

static enum status purchase_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context)
{
	const struct purchase *purchase = context;
	struct postgres_result result;
	enum status status = postgres_execute(pg, &hold_lock,
		POSTGRES_PARAMETERS(postgres_uuid(purchase->event), postgres_uuid(purchase->hold)),
		&result);
	if (status == STATUS_OK && result.row_count == 0) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such hold.");
	} else if (status == STATUS_OK) {
		struct held held = {
			.status = postgres_get_text(&result, 0, 0),
			.total = postgres_get_bigint(&result, 0, 1),
			.currency = postgres_get_text(&result, 0, 2),
			.seat_count = postgres_get_integer(&result, 0, 3),
			.user = postgres_get_text(&result, 0, 4),
		};
		if (slice_is(held.status, "held"))
			status = buy(exchange, pg, purchase, &held);
		else
			status = reply_ended(exchange, pg, purchase, &held);
	}
	postgres_result_release(&result);
	return status;
}

/* Lock the hold's seats. *alive: whether all are still this hold's and in time. */
static enum status lock_held(
	struct postgres *pg, const struct purchase *purchase, const struct held *held, bool *alive)
{
	const struct postgres_parameter key[] = {
		postgres_uuid(purchase->event), postgres_uuid(purchase->hold)};
	struct postgres_result result = {0};
	enum status status = postgres_execute(pg, &hold_lock_seats, key, 2, NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &hold_count_alive, key, 2, &result);
	*alive = status == STATUS_OK && postgres_get_bigint(&result, 0, 0) == held->seat_count;
	postgres_result_release(&result);
	return status;
}

static enum status sell_seats(struct postgres *pg, const struct purchase *purchase,
	const struct held *held, struct id order)
{
	struct postgres_result result = {0};
	enum status status = postgres_execute(pg, &seats_sell,
		POSTGRES_PARAMETERS(postgres_uuid(purchase->event), postgres_uuid(purchase->hold),
			postgres_uuid(order)),
		&result);
	/* The time ran out since the seats were counted: all is undone, and a repetition learns it.
	 */
	if (status == STATUS_OK && result.affected_count != (size_t)held->seat_count)
		status = STATUS_UNAVAILABLE;
	postgres_result_release(&result);
	return status;
}

static enum status write_order(struct postgres *pg, const struct purchase *purchase,
	const struct held *held, struct id order)
{
	struct id tickets[LIMIT_SEATS_PER_HOLD];
	for (int i = 0; i < LIMIT_SEATS_PER_HOLD; i++)
		tickets[i] = id_new(clock_wall_ms(clock_system()));
	struct postgres_parameter event = postgres_uuid(purchase->event);
	struct postgres_parameter order_id = postgres_uuid(order);
	struct postgres_parameter hold = postgres_uuid(purchase->hold);
	struct postgres_parameter total = postgres_bigint(held->total);
	enum status status = postgres_execute(pg, &order_insert,
		POSTGRES_PARAMETERS(event, order_id, hold, postgres_text(held->user), total), NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &charge_insert,
			POSTGRES_PARAMETERS(event, order_id, total, postgres_text(held->currency)),
			NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &tickets_insert,
			POSTGRES_PARAMETERS(event, order_id,
				postgres_uuid_array(tickets, LIMIT_SEATS_PER_HOLD)),
			NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &hold_end,
			POSTGRES_PARAMETERS(event, hold, postgres_text(slice_of("sold"))), NULL);
	return status;
}

static enum status buy(struct http_exchange *exchange, struct postgres *pg,
	const struct purchase *purchase, const struct held *held)
{
	bool alive;
	enum status status = lock_held(pg, purchase, held, &alive);
	if (status != STATUS_OK)
		return status;
	if (!alive) {
		http_reply_problem(exchange, &hold_expired, NULL);
		return STATUS_OK;
	}
	enum payment_outcome outcome =
		payment_stand_in_charge(purchase->payment_method, held->total);
	if (outcome == PAYMENT_DECLINED)
		http_reply_problem(exchange, &payment_declined, NULL);
	else if (outcome == PAYMENT_METHOD_UNKNOWN)
		http_field_refuse(purchase->fields, "paymentMethod",
			"the stand-in knows pm_card_visa and pm_card_visa_chargeDeclined");
	if (outcome != PAYMENT_PAID)
		return STATUS_OK;
	struct id order = id_new(clock_wall_ms(clock_system()));
	status = sell_seats(pg, purchase, held, order);
	if (status == STATUS_OK)
		status = write_order(pg, purchase, held, order);
	return status == STATUS_OK ? reply_order(exchange, pg, purchase->event, order) : status;
}

static enum status reply_order(
	struct http_exchange *exchange, struct postgres *pg, struct id event, struct id order)
{
	struct postgres_result result;
	enum status status = postgres_execute(pg, &order_read_one,
		POSTGRES_PARAMETERS(postgres_uuid(event), postgres_uuid(order)), &result);
	if (status == STATUS_OK)
		http_reply_json_text(exchange, 200, postgres_get_text(&result, 0, 0));
	postgres_result_release(&result);
	return status;
}

void order_read(struct http_exchange *exchange)
{
	struct id event, order;
	if (!app_item_parse(http_parameter(exchange, "orderId"), &event, &order)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such order.");
		return;
	}
	app_reply_row(exchange, &order_read_one,
		POSTGRES_PARAMETERS(postgres_uuid(event), postgres_uuid(order)));
}
