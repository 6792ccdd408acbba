/* The product's orders with the engine, the seats and the provider: from the confirmation to the
 * ticket, and every way out before and after. */
#include <pthread.h>

#include "real-implementation/orders_fixture.h"

#define VISA "pm_card_visa"
#define DECLINED "pm_card_chargeDeclined"
#define PROOF "pm_card_threeDSecureRequired"

static const char hold_status_is[] =
	"SELECT count(*) FROM seat_holds h JOIN checkout_orders o USING (event_id, hold_id) "
	"WHERE o.event_id = $1::uuid AND o.order_id = $2::uuid AND h.status = '%s'";
static const char valid_tickets[] =
	"SELECT count(*) FROM seat_tickets WHERE event_id = $1::uuid AND order_id = $2::uuid AND "
	"status = 'valid'";

static const char *paid_order(void)
{
	const char *order = shop_order(shop_hold(ALICE, 2));
	shop_confirm(order, VISA, 202);
	shop_wait_status(order, "paid");
	return order;
}

static void order_is_paid_once_and_has_its_tickets(void **state)
{
	(void)state;
	const char *hold = shop_hold(ALICE, 2), *order = shop_order(hold);
	struct reader *near = shop_follow(0, order, ALICE), *far = shop_follow(1, order, ALICE);
	reader_want(near, "\"status\":\"requires_confirmation\"");
	reader_want(far, "\"status\":\"requires_confirmation\"");
	json_t *confirmed = shop_confirm(order, VISA, 202);
	assert_string_equal("authorizing", shop_text(confirmed, "status"));
	assert_string_equal(order, shop_text(confirmed, "orderId"));
	reader_want(near, "\"status\":\"paid\"");
	reader_want_end(near);
	reader_want(far, "\"status\":\"paid\"");
	reader_want_end(far);
	assert_int_equal(1, reader_count(near, "\"status\":\"paid\""));
	reader_close(near);
	reader_close(far);
	json_t *paid = shop_wait_status(order, "paid");
	const json_t *tickets = json_object_get(paid, "tickets");
	assert_int_equal(2, json_array_size(tickets));
	for (size_t i = 0; i < 2; i++) {
		const json_t *ticket = json_array_get(tickets, i);
		assert_string_equal(text("A-%02zu", i + 1), shop_text(ticket, "seatId"));
		assert_string_equal("Parterre", shop_text(ticket, "section"));
		assert_string_equal("A", shop_text(ticket, "row"));
		assert_string_equal(text("%02zu", i + 1), shop_text(ticket, "number"));
		assert_int_equal(SHOP_PRICE, shop_number(ticket, "price"));
		assert_int_equal(73, strlen(shop_text(ticket, "ticketId")));
		assert_int_equal(1,
			shop_query("SELECT count(*) FROM seat_tickets WHERE event_id = $1::uuid "
				   "AND ticket_id = $2::uuid AND status = 'valid'",
				shop_text(ticket, "ticketId")));
	}
	assert_null(json_object_get(paid, "expiresAt"));
	assert_int_equal(1, shop_ledger(order, "authorization"));
	assert_int_equal(1, shop_ledger(order, "capture"));
	assert_int_equal(1, shop_outbox(order, "order.paid"));
	shop_confirm(order, VISA, 409);
	shop_want_problem("order-status");
	shop_ask("POST", "/orders", ALICE, "late", text("{\"holdId\":\"%s\"}", hold), 409);
	assert_string_equal(order, shop_text(shop.json, "orderId"));
}

/* Under the same intent, with keys of its own. */
static void declined_order_is_paid_with_another_card(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	struct reader *reader = shop_follow(0, order, ALICE);
	reader_want(reader, "\"status\":\"requires_confirmation\"");
	shop_confirm(order, DECLINED, 202);
	json_t *declined = shop_wait_status(order, "declined");
	assert_string_equal("generic_decline", shop_text(declined, "reason"));
	assert_non_null(shop_text(declined, "expiresAt"));
	reader_want(reader, "\"status\":\"declined\"");
	shop_confirm(order, VISA, 202);
	assert_null(json_object_get(shop.json, "reason"));
	reader_want(reader, "\"status\":\"paid\"");
	reader_want_end(reader);
	reader_close(reader);
	json_t *paid = shop_wait_status(order, "paid");
	assert_int_equal(1, json_array_size(json_object_get(paid, "tickets")));
	assert_int_equal(1, shop_ledger(order, "capture"));
	assert_int_equal(1, shop_outbox(order, "order.declined"));
	assert_int_equal(1, shop_outbox(order, "order.paid"));
}

static void free_order_needs_no_payment_method(void **state)
{
	(void)state;
	shop_stock(0);
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_ask("POST", text("/orders/%s/confirm", order), ALICE, "free", "{}", 202);
	json_t *paid = shop_wait_status(order, "paid");
	assert_int_equal(1, json_array_size(json_object_get(paid, "tickets")));
	assert_int_equal(0, shop_ledger(order, "authorization"));
}

/* ---- Time ---- */

static void unconfirmed_order_expires_with_its_hold(void **state)
{
	(void)state;
	const char *hold = shop_hold(ALICE, 1), *order = shop_order(hold);
	struct reader *reader = shop_follow(1, order, ALICE);
	reader_want(reader, "\"status\":\"requires_confirmation\"");
	shop_pass_time(order);
	shop_wait_status(order, "expired");
	reader_want(reader, "\"status\":\"expired\"");
	reader_want_end(reader);
	reader_close(reader);
	shop_confirm(order, VISA, 410);
	shop_want_problem("order-over");
	assert_string_equal("expired", shop_text(shop.json, "orderStatus"));
	shop_cancel(order, 410);
	shop_ask("POST", "/orders", ALICE, "after", text("{\"holdId\":\"%s\"}", hold), 410);
	shop_want_problem("hold-over");
	assert_int_equal(1, shop_outbox(order, "order.expired"));
	assert_int_equal(0, shop_ledger(order, "authorization"));
}

static void declined_order_expires_with_its_hold(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, DECLINED, 202);
	shop_wait_status(order, "declined");
	shop_pass_time(order);
	shop_wait_status(order, "expired");
	shop_confirm(order, VISA, 410);
	assert_int_equal(1, shop_outbox(order, "order.expired"));
}

/* A proof that is waited for until earlier than the hold's end has failed: from then on the hold's
 * end counts again. */
static void failed_proof_leaves_the_holds_time(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, DECLINED, 202);
	shop_wait_status(order, "declined");
	assert_int_equal(1,
		shop_query("WITH o AS (UPDATE checkout_orders SET expires_at = clock_timestamp() "
			   "WHERE event_id = $1::uuid AND order_id = $2::uuid RETURNING 1) "
			   "SELECT count(*) FROM o",
			order));
	shop_confirm(order, VISA, 202);
	shop_wait_status(order, "paid");
}

static void order_whose_hold_was_released_cannot_be_confirmed(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	(void)shop_query("UPDATE seat_holds h SET status = 'released' FROM checkout_orders o WHERE "
			 "o.event_id = $1::uuid AND o.order_id = $2::uuid AND h.event_id = "
			 "o.event_id AND h.hold_id = o.hold_id RETURNING 1::bigint",
		order);
	shop_confirm(order, VISA, 410);
	shop_want_problem("order-over");
	shop_cancel(order, 202);
	shop_wait_status(order, "canceled");
}

/* ---- Cancel, in each status that an order can be kept in ---- */

static void unconfirmed_order_is_canceled(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	json_t *canceled = shop_cancel(order, 202);
	assert_true(json_is_true(json_object_get(canceled, "cancelRequested")));
	shop_wait_status(order, "canceled");
	assert_int_equal(1, shop_outbox(order, "order.canceled"));
	assert_int_equal(1, shop_query(text(hold_status_is, "held"), order));
	shop_confirm(order, VISA, 409);
	shop_cancel(order, 409);
	shop_want_problem("order-status");
}

static void declined_order_is_canceled(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, DECLINED, 202);
	shop_wait_status(order, "declined");
	shop_cancel(order, 202);
	shop_wait_status(order, "canceled");
}

static void order_that_waits_for_a_proof_is_canceled(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, PROOF, 202);
	json_t *waiting = shop_wait_status(order, "requires_action");
	assert_non_null(shop_text(waiting, "nextActionUrl"));
	shop_cancel(order, 202);
	shop_wait_status(order, "canceled");
	assert_int_equal(0, shop_ledger(order, "capture"));
}

/* The bank is kept away, so that it stays authorizing until after the request. */
static void order_that_is_being_authorized_is_canceled(void **state)
{
	(void)state;
	json_decref(simulator_fixture_fault(&shop.simulator,
		"{\"fault\":\"rate_limited\",\"operation\":\"confirm\",\"rate\":1}"));
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, VISA, 202);
	shop_wait_query(1,
		"SELECT count(*) FROM checkout_orders WHERE event_id = $1::uuid AND order_id = "
		"$2::uuid AND status = 'authorizing' AND intent_id IS NOT NULL",
		order);
	shop_cancel(order, 202);
	assert_string_equal("authorizing", shop_text(shop.json, "status"));
	simulator_fixture_clear_faults(&shop.simulator);
	shop_wait_status(order, "canceled");
	assert_int_equal(shop_ledger(order, "void"), shop_ledger(order, "authorization"));
	assert_int_equal(0, shop_ledger(order, "capture"));
}

/* The money is being taken: that is waited for, and then it is given back. */
static void order_that_is_being_captured_is_refunded(void **state)
{
	(void)state;
	json_decref(simulator_fixture_fault(&shop.simulator,
		"{\"fault\":\"rate_limited\",\"operation\":\"capture\",\"rate\":1}"));
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, VISA, 202);
	json_t *capturing = shop_wait_status(order, "capturing");
	assert_int_equal(0, json_array_size(json_object_get(capturing, "tickets")));
	shop_cancel(order, 202);
	assert_string_equal("capturing", shop_text(shop.json, "status"));
	simulator_fixture_clear_faults(&shop.simulator);
	shop_wait_status(order, "refunded");
	assert_int_equal(1, shop_ledger(order, "capture"));
	assert_int_equal(1, shop_ledger(order, "refund"));
	assert_int_equal(0, shop_query(valid_tickets, order));
}

static void paid_order_is_refunded_and_its_seats_are_free(void **state)
{
	(void)state;
	const char *order = paid_order();
	struct reader *reader;
	shop_cancel(order, 202);
	reader = shop_follow(0, order, ALICE);
	reader_want(reader, "\"status\":\"refunded\"");
	reader_want_end(reader);
	reader_close(reader);
	json_t *refunded = shop_wait_status(order, "refunded");
	assert_int_equal(0, json_array_size(json_object_get(refunded, "tickets")));
	assert_int_equal(2, json_array_size(json_object_get(refunded, "seats")));
	assert_int_equal(0, shop_query(valid_tickets, order));
	assert_int_equal(1, shop_query(text(hold_status_is, "revoked"), order));
	assert_int_equal(0,
		shop_query("SELECT count(*) FROM seats WHERE event_id = $1::uuid AND order_id = "
			   "$2::uuid",
			order));
	assert_int_equal(1, shop_ledger(order, "refund"));
	assert_int_equal(1, shop_outbox(order, "order.refunded"));
	shop_cancel(order, 409);
}

/* ---- Cancel after a scan ---- */

static const char scan[] =
	"INSERT INTO ticket_scans (event_id, ticket_id, gate) SELECT event_id, ticket_id, 'north' "
	"FROM seat_tickets WHERE event_id = $1::uuid AND order_id = $2::uuid "
	"ORDER BY seat_id LIMIT 1 RETURNING 1::bigint";

static void order_with_a_scanned_ticket_is_not_canceled(void **state)
{
	(void)state;
	const char *order = paid_order();
	assert_int_equal(1, shop_query(scan, order));
	shop_cancel(order, 409);
	shop_want_problem("ticket-scanned");
	shop_ask("GET", text("/orders/%s", order), ALICE, NULL, NULL, 200);
	assert_string_equal("paid", shop_text(shop.json, "status"));
	assert_null(json_object_get(shop.json, "cancelRequested"));
	assert_int_equal(2, shop_query(valid_tickets, order));
}

/* The answer to a cancellation that was sent while somebody was at the door. */
struct canceling {
	pthread_t thread;
	char path[128];
	int status;
};

static void *cancel_meanwhile(void *context)
{
	struct canceling *canceling = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, http_server_port(shop.servers[0].http));
	if (http_client_call(&client, "POST", canceling->path,
		    "Person: " ALICE "\r\nIdempotency-Key: door\r\n", NULL,
		    &reply) == HTTP_CLIENT_OK)
		canceling->status = reply.status;
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

/* Who scans has the order's lock; the cancellation waits for it, and sees the scan though it began
 * before that was committed. */
static void scan_that_is_under_way_is_seen_by_a_cancellation(void **state)
{
	static const struct postgres_statement
		lock = {.name = "door_lock",
			.sql = "SELECT FROM checkout_orders WHERE event_id = $1 AND order_id = "
			       "$2::text::uuid FOR SHARE"},
		let_in = {.name = "door_scan",
			.sql = "INSERT INTO ticket_scans (event_id, ticket_id) SELECT event_id, "
			       "ticket_id FROM seat_tickets WHERE event_id = $1 AND order_id = "
			       "$2::text::uuid LIMIT 1"};
	struct canceling canceling = {.status = 0};
	(void)state;
	const char *order = paid_order(), *own = strchr(order, '.') + 1;
	(void)snprintf(canceling.path, sizeof canceling.path, "/orders/%s/cancel", order);
	assert_int_equal(STATUS_OK, postgres_begin(shop.judge, POSTGRES_READ_COMMITTED));
	assert_int_equal(STATUS_OK,
		postgres_execute(shop.judge, &lock,
			POSTGRES_PARAMETERS(
				postgres_uuid(shop.event), postgres_text(slice_of(own))),
			NULL));
	assert_int_equal(0, pthread_create(&canceling.thread, NULL, cancel_meanwhile, &canceling));
	shop_wait_query(1,
		"SELECT (count(*) > 0)::int::bigint FROM pg_locks WHERE NOT granted AND $1 || $2 "
		"IS NOT NULL",
		NULL);
	assert_int_equal(STATUS_OK,
		postgres_execute(shop.judge, &let_in,
			POSTGRES_PARAMETERS(
				postgres_uuid(shop.event), postgres_text(slice_of(own))),
			NULL));
	assert_int_equal(STATUS_OK, postgres_commit(shop.judge));
	assert_int_equal(0, pthread_join(canceling.thread, NULL));
	assert_int_equal(409, canceling.status);
	assert_int_equal(0,
		shop_query("SELECT count(*) FROM checkout_orders WHERE event_id = $1::uuid AND "
			   "order_id = $2::uuid AND ending IS NOT NULL",
			order));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(order_is_paid_once_and_has_its_tickets),
		SHOP_TEST(declined_order_is_paid_with_another_card),
		SHOP_TEST(free_order_needs_no_payment_method),
		SHOP_TEST(unconfirmed_order_expires_with_its_hold),
		SHOP_TEST(declined_order_expires_with_its_hold),
		SHOP_TEST(failed_proof_leaves_the_holds_time),
		SHOP_TEST(order_whose_hold_was_released_cannot_be_confirmed),
		SHOP_TEST(unconfirmed_order_is_canceled),
		SHOP_TEST(declined_order_is_canceled),
		SHOP_TEST(order_that_waits_for_a_proof_is_canceled),
		SHOP_TEST(order_that_is_being_authorized_is_canceled),
		SHOP_TEST(order_that_is_being_captured_is_refunded),
		SHOP_TEST(paid_order_is_refunded_and_its_seats_are_free),
		SHOP_TEST(order_with_a_scanned_ticket_is_not_canceled),
		SHOP_TEST(scan_that_is_under_way_is_seen_by_a_cancellation),
	};
	return cmocka_run_group_tests(tests, shop_start, shop_stop);
}
