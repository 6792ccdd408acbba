/* Lanes with a checkout: purchases, orders, and the recovery of what was left half done. */
#include <stdlib.h>

#include "lib/base/log.h"
#include "tech-locking-and-transactions/seat_lanes.h"

enum { CALL_ATTEMPTS_MAX = 2 };

/* ---- Opening ---- */

static enum status open_checkout(struct seat_till *till, struct fault *fault)
{
	const struct seat_opener *opener = &till->routes->options.opener;
	enum status status = opener->open_checkout(opener->context, &till->checkout, fault);
	if (status != STATUS_OK)
		till->checkout = NULL;
	till->open_ms = clock_monotonic_ms(clock_system()) + SEAT_RETRY_MS;
	return status;
}

static bool open_till(struct seat_till *till, struct seat_routes *routes)
{
	till->routes = routes;
	arena_init(&till->arena, SEAT_LOOK_BYTES_MAX);
	buffer_init(&till->text, SEAT_TEXT_BYTES_MAX);
	till->requests = calloc(CHECKOUT_BATCH_MAX, sizeof *till->requests);
	till->results = calloc(CHECKOUT_BATCH_MAX, sizeof *till->results);
	till->asked = calloc(CHECKOUT_BATCH_MAX, sizeof *till->asked);
	till->stuck = calloc(CHECKOUT_BATCH_MAX, sizeof *till->stuck);
	return till->requests && till->results && till->asked && till->stuck;
}

enum status seat_tills_open(struct seat_routes *routes, struct fault *fault)
{
	const struct seat_routes_options *options = &routes->options;
	size_t threads = options->checkout_thread_count;
	struct lane_options lanes[] = {
		{.name = "seat_purchases", .ops = &seat_buy_ops, .thread_count = threads},
		{.name = "seat_orders", .ops = &seat_order_ops},
		{.name = "seat_recovery", .ops = &seat_recover_ops},
	};
	struct lane **opened[] = {&routes->purchases, &routes->orders, &routes->recovery};
	routes->till_count = threads + 2;
	routes->tills = calloc(routes->till_count, sizeof *routes->tills);
	if (!routes->tills)
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < routes->till_count; i++)
		if (!open_till(&routes->tills[i], routes))
			return STATUS_UNAVAILABLE;
	if (open_checkout(&routes->tills[0], fault) == STATUS_REFUSED)
		return STATUS_REFUSED;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < sizeof lanes / sizeof *lanes && status == STATUS_OK; i++) {
		lanes[i].context = &routes->tills[i == 0 ? 0 : threads + i - 1];
		lanes[i].queue_max = options->queue_max;
		lanes[i].batch_max = CHECKOUT_BATCH_MAX;
		lanes[i].metrics = options->metrics;
		status = lane_open(&lanes[i], opened[i]);
	}
	return status;
}

void seat_tills_close(struct seat_routes *routes)
{
	for (size_t i = 0; routes->tills && i < routes->till_count; i++) {
		struct seat_till *till = &routes->tills[i];
		if (!till->routes)
			continue;
		checkout_close(till->checkout);
		arena_release(&till->arena);
		buffer_release(&till->text);
		free(till->requests);
		free(till->results);
		free(till->asked);
		free(till->stuck);
	}
	free(routes->tills);
}

static struct checkout *checkout_of(struct seat_till *till)
{
	struct fault fault = {.where = "checkout", .what = "memory is short"};
	if (till->checkout || clock_monotonic_ms(clock_system()) < till->open_ms)
		return till->checkout;
	if (open_checkout(till, &fault) == STATUS_REFUSED && !till->complained)
		log_error("checkout.refused", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
	return till->checkout;
}

static enum status told(struct seat_till *till, const char *what, enum status status)
{
	bool good = status == STATUS_OK || status == STATUS_REFUSED;
	if (!good)
		metrics_counter_add(till->routes->metrics.calls_failed, 1);
	if (!good && !till->complained)
		log_warning("checkout.no_answer", LOG_TEXT("call", what),
			LOG_TEXT("status", status_name(status)));
	if (good && till->complained)
		log_info("checkout.answers_again", LOG_TEXT("call", what));
	till->complained = !good;
	return status;
}

/* ---- Batches ---- */

typedef enum status (*till_call)(struct checkout *checkout, const struct buy_request requests[],
	struct buy_result results[], size_t count, struct arena *arena);

/* Make a call for till->asked[0..count), in as many parts as the technology takes; what could not
 * be done is replied, and its place in `asked` says so. Results are in till->results. */
static void call_all(struct seat_till *till, till_call call, const char *what, size_t count)
{
	struct checkout *checkout = checkout_of(till);
	size_t batch_max = checkout ? checkout_traits(checkout)->batch_max : count;
	arena_reset(&till->arena);
	for (size_t i = 0; i < count; i++)
		till->requests[i] = (struct buy_request){.event = till->asked[i]->event,
			.hold = till->asked[i]->hold,
			.person = till->asked[i]->person,
			.order = till->asked[i]->order,
			.payment_method = till->asked[i]->payment_method};
	for (size_t done = 0; done < count;) {
		size_t size = count - done < batch_max ? count - done : batch_max;
		enum status status = checkout ? STATUS_UNKNOWN : STATUS_UNAVAILABLE;
		/* A purchase begins by reading how far its order has come, so to make it again is
		 * to look first. */
		for (int i = 0; i < CALL_ATTEMPTS_MAX && status == STATUS_UNKNOWN; i++) {
			if (i > 0)
				metrics_counter_add(till->routes->metrics.calls_repeated, 1);
			status = call(checkout, till->requests + done, till->results + done, size,
				&till->arena);
		}
		(void)told(till, what, status);
		for (size_t i = done; i < done + size && status != STATUS_OK; i++) {
			seat_reply_failed(till->asked[i], status);
			till->asked[i]->done = true;
		}
		done += size;
	}
}

/* A purchase whose hold does not live: whoever looks holds up can say why. */
static bool hand_on(struct seat_till *till, struct seat_request *request)
{
	request->operation = SEAT_ASK_EXPLAIN;
	return lane_submit(seat_look_lane(till->routes)->lane, &request->item) == STATUS_OK;
}

/* Those that have not begun are not worth the wait of a server that is to end. */
static bool is_stopping(const struct seat_till *till, size_t count)
{
	if (!atomic_load(&till->routes->stopping))
		return false;
	for (size_t i = 0; i < count; i++)
		seat_reply_refused(till->asked[i], "The server is ending; nothing was done.");
	seat_complete(till->asked, count);
	return true;
}

static void apply_purchases(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_till *till = (struct seat_till *)context + thread;
	count = seat_lane_take(items, count, till->asked);
	if (count == 0 || is_stopping(till, count))
		return;
	call_all(till, checkout_buy, "buy", count);
	for (size_t i = 0; i < count; i++) {
		if (till->asked[i]->done)
			continue;
		const struct buy_result *result = &till->results[i];
		metrics_counter_add(till->routes->metrics.purchases[result->outcome], 1);
		if (result->outcome == BUY_NOT_HELD && hand_on(till, till->asked[i]))
			till->asked[i] = NULL;
		else
			seat_reply_buy(till->asked[i], result, &till->text);
	}
	seat_complete(till->asked, count);
}

const struct lane_ops seat_buy_ops = {.apply = apply_purchases, .late = seat_late};

/* ---- Orders ---- */

static void show_orders(struct seat_till *till, size_t count)
{
	call_all(till, checkout_look_up, "look_up", count);
	for (size_t i = 0; i < count; i++) {
		if (till->asked[i]->done)
			continue;
		if (till->results[i].outcome == BUY_NOT_HELD)
			http_reply_problem(till->asked[i]->exchange, &http_problem_not_found,
				"There is no such order.");
		else
			seat_reply_order(till->asked[i], &till->results[i], &till->text);
	}
	seat_complete(till->asked, count);
}

/* One call for all that ask. */
static void show_stuck(struct seat_till *till, struct seat_request *asked[], size_t count)
{
	struct checkout *checkout = checkout_of(till);
	enum status status = STATUS_UNAVAILABLE;
	size_t stuck = 0;
	arena_reset(&till->arena);
	if (checkout)
		status = checkout_stuck(
			checkout, CHECKOUT_BATCH_MAX, till->stuck, &stuck, &till->arena);
	(void)told(till, "stuck", status);
	for (size_t i = 0; i < count; i++) {
		if (status != STATUS_OK)
			seat_reply_failed(asked[i], status);
		else
			seat_reply_stuck(asked[i], till->stuck, stuck, &till->text);
	}
	seat_complete(asked, count);
}

static void apply_orders(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_till *till = context;
	struct seat_request *admins[CHECKOUT_BATCH_MAX];
	size_t orders = 0, admin_count = 0;
	(void)thread;
	count = seat_lane_take(items, count, till->asked);
	for (size_t i = 0; i < count; i++) {
		if (till->asked[i]->operation == SEAT_ASK_SHOW_STUCK)
			admins[admin_count++] = till->asked[i];
		else
			till->asked[orders++] = till->asked[i];
	}
	if (orders > 0)
		show_orders(till, orders);
	if (admin_count > 0)
		show_stuck(till, admins, admin_count);
}

const struct lane_ops seat_order_ops = {.apply = apply_orders, .late = seat_late};

/* ---- Recovery ---- */

static enum status recover(struct seat_till *till, struct recovery *recovery)
{
	struct checkout *checkout = checkout_of(till);
	enum status status = STATUS_UNAVAILABLE;
	*recovery = (struct recovery){0};
	if (checkout)
		status = checkout_recover(checkout, SEAT_RECOVER_MAX, recovery);
	if (told(till, "recover", status) == STATUS_OK)
		metrics_counter_add(till->routes->metrics.recovered, recovery->finished);
	return status;
}

/* One call for all that ask. */
static void apply_recovery(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_till *till = context;
	struct recovery recovery;
	(void)thread;
	count = seat_lane_take(items, count, till->asked);
	if (count == 0)
		return;
	enum status status = recover(till, &recovery);
	for (size_t i = 0; i < count; i++) {
		if (status != STATUS_OK)
			seat_reply_failed(till->asked[i], status);
		else
			http_reply_json(till->asked[i]->exchange, 200,
				json_pack("{s:I, s:I, s:I}", "finished",
					(json_int_t)recovery.finished, "open",
					(json_int_t)recovery.open, "stuck",
					(json_int_t)recovery.stuck));
	}
	seat_complete(till->asked, count);
}

const struct lane_ops seat_recover_ops = {.apply = apply_recovery, .late = seat_late};
