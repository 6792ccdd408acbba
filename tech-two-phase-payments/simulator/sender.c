/* See sender.h. */
#include "tech-two-phase-payments/simulator/sender.h"

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"

#define SENDER_LANE "webhooks"

enum { COLLECT_MAX = 64, COLLECT_MS = 20, IDLE_MS = 10, SHIFT_MAX = 20 };

struct sender {
	struct sender_options options;
	char *url, *secret;
	struct http_fetcher *fetcher;
	struct lane *lane;
	struct timers retries; /* Monotonic. */
	struct delivery *all;  /* Everything that is not yet given back. */
	struct metrics_counter *delivered, *failures;
};

static void sender_apply(
	void *context, size_t thread, struct lane_item *const items[], size_t count);
static void sender_late(void *context, struct lane_item *const items[], size_t count);
static int64_t sender_tick(void *context, int64_t now_ms);

static const struct lane_ops lane_ops = {
	.apply = sender_apply, .late = sender_late, .tick = sender_tick};

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	http_fetch_release(&delivery->own.fetch);
	free(delivery->body);
	free(delivery);
}

static struct metrics_counter *counter(struct metrics *metrics, const char *name, const char *help)
{
	return metrics_add_counter(
		metrics, &(struct metrics_description){.name = name, .help = help});
}

void sender_register_metrics(struct metrics *metrics)
{
	lane_register_metrics(metrics, SENDER_LANE);
	counter(metrics, "webhook_deliveries", "Events that an endpoint has taken.");
	counter(metrics, "webhook_failures", "Attempts that an endpoint did not answer with 2xx.");
}

enum status sender_open(
	const struct sender_options *options, struct sender **result, struct fault *fault)
{
	struct sender *sender = calloc(1, sizeof *sender);
	struct http_fetcher_options fetcher = {.in_flight_max = SENDER_IN_FLIGHT_MAX,
		.queue_max = SENDER_QUEUE_MAX,
		.user_agent = "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
		.attempt_ms_max = options->attempt_ms_max};
	if (!sender)
		goto fail;
	sender->options = *options;
	sender->url = strdup(options->url);
	sender->secret = strdup(options->secret);
	sender->delivered = counter(
		options->metrics, "webhook_deliveries", "Events that an endpoint has taken.");
	sender->failures = counter(options->metrics, "webhook_failures",
		"Attempts that an endpoint did not answer with 2xx.");
	if (!sender->url || !sender->secret)
		goto fail;
	enum status status = http_fetcher_open(&fetcher, &sender->fetcher, fault);
	if (status == STATUS_OK)
		status = lane_open(&(struct lane_options){.name = SENDER_LANE,
					   .ops = &lane_ops,
					   .context = sender,
					   .queue_max = SENDER_QUEUE_MAX,
					   .batch_max = LANE_BATCH_MAX,
					   .metrics = options->metrics},
			&sender->lane);
	if (status == STATUS_OK) {
		*result = sender;
		return STATUS_OK;
	}

fail:
	sender_close(sender);
	fault_set(fault, "webhooks", "memory or threads are short");
	return STATUS_UNAVAILABLE;
}

enum status sender_submit(struct sender *sender, struct delivery *delivery)
{
	delivery->item.deadline_ms = LANE_NEVER;
	enum status status = lane_submit(sender->lane, &delivery->item);
	if (status == STATUS_OK)
		http_fetcher_wakeup(sender->fetcher);
	return status;
}

void sender_close(struct sender *sender)
{
	if (!sender)
		return;
	lane_close(sender->lane);
	http_fetcher_close(sender->fetcher);
	for (struct delivery *delivery = sender->all, *next; delivery; delivery = next) {
		next = delivery->own.next;
		delivery_free(delivery);
	}
	timers_release(&sender->retries);
	free(sender->url);
	free(sender->secret);
	free(sender);
}

void sender_sign(const char *secret, int64_t now_s, struct slice body, char text[SIGNATURE_SIZE])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof mac + 1], stamp[24];
	crypto_auth_hmacsha256_state state;
	int size = snprintf(stamp, sizeof stamp, "%lld.", (long long)now_s);
	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(
		&state, (const unsigned char *)stamp, (unsigned long long)size);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.data, body.size);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
	snprintf(text, SIGNATURE_SIZE, "t=%lld,v1=%s", (long long)now_s, hex);
}

/* ---- On the sender's thread ---- */

static void list_add(struct sender *sender, struct delivery *delivery)
{
	delivery->own.previous = NULL;
	delivery->own.next = sender->all;
	if (sender->all)
		sender->all->own.previous = delivery;
	sender->all = delivery;
}

static void list_remove(struct sender *sender, struct delivery *delivery)
{
	if (delivery->own.previous)
		delivery->own.previous->own.next = delivery->own.next;
	else
		sender->all = delivery->own.next;
	if (delivery->own.next)
		delivery->own.next->own.previous = delivery->own.previous;
}

/* Try again when the pause is over. Without memory even for that, at the next start. */
static void wait_and_retry(struct sender *sender, struct delivery *delivery, int64_t pause_ms)
{
	int64_t due_ms = clock_monotonic_ms(clock_system()) + pause_ms;
	if (timers_add(&sender->retries, &delivery->own.timer, due_ms) != STATUS_OK)
		log_error("webhook.given_up");
}

static void attempt(struct sender *sender, struct delivery *delivery)
{
	struct slice body = {.data = delivery->body, .size = delivery->body_size};
	sender_sign(sender->secret, clock_wall_ms(clock_system()) / 1000, body,
		delivery->own.signature);
	delivery->own.headers[0] = (struct http_fetch_header){
		"Content-Type", slice_of("application/json; charset=utf-8")};
	delivery->own.headers[1] =
		(struct http_fetch_header){"Stripe-Signature", slice_of(delivery->own.signature)};
	delivery->own.fetch = (struct http_fetch){.method = "POST",
		.url = sender->url,
		.headers = delivery->own.headers,
		.header_count = 2,
		.body = body,
		.context = delivery};
	if (http_fetcher_submit(sender->fetcher, &delivery->own.fetch) != STATUS_OK)
		wait_and_retry(sender, delivery, IDLE_MS);
}

static void sender_apply(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct sender *sender = context;
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		struct delivery *delivery =
			(struct delivery *)((char *)items[i] - offsetof(struct delivery, item));
		delivery->own.attempts = 0;
		list_add(sender, delivery);
		attempt(sender, delivery);
	}
}

/* Deliveries have no deadline. */
static void sender_late(void *context, struct lane_item *const items[], size_t count)
{
	sender_apply(context, 0, items, count);
}

static void give_back(struct sender *sender, struct delivery *delivery)
{
	list_remove(sender, delivery);
	if (sender->options.on_delivered(sender->options.context, delivery))
		return;
	/* To send it again does no harm: receivers expect repetitions. */
	list_add(sender, delivery);
	wait_and_retry(sender, delivery, sender->options.retry_ms_min);
}

static void collected(struct sender *sender, struct delivery *delivery)
{
	const struct http_fetch_result *result = &delivery->own.fetch.result;
	bool taken = result->outcome == HTTP_FETCH_ANSWERED && result->status / 100 == 2;
	http_fetch_release(&delivery->own.fetch);
	if (taken) {
		metrics_counter_add(sender->delivered, 1);
		give_back(sender, delivery);
		return;
	}
	metrics_counter_add(sender->failures, 1);
	unsigned shift = delivery->own.attempts++;
	int64_t pause_ms = sender->options.retry_ms_min << (shift > SHIFT_MAX ? SHIFT_MAX : shift);
	if (pause_ms > sender->options.retry_ms_max)
		pause_ms = sender->options.retry_ms_max;
	wait_and_retry(sender, delivery, pause_ms);
}

/* Collecting is what moves bytes, so while anything is in flight the thread stays in here; a new
 * delivery wakes it. */
static int64_t sender_tick(void *context, int64_t now_ms)
{
	struct sender *sender = context;
	struct timer *timer;
	struct http_fetch *done[COLLECT_MAX];
	while ((timer = timers_pop(&sender->retries, now_ms)))
		attempt(sender,
			(struct delivery *)((char *)timer - offsetof(struct delivery, own.timer)));
	struct http_fetcher_counts counts = http_fetcher_counts(sender->fetcher);
	size_t busy = counts.queued + counts.in_flight + counts.done;
	size_t count =
		busy > 0 ? http_fetcher_collect(sender->fetcher, COLLECT_MS, done, COLLECT_MAX) : 0;
	for (size_t i = 0; i < count; i++)
		collected(sender, done[i]->context);
	if (busy > 0)
		return now_ms;
	/* A delivery that comes meanwhile cannot move the next tick forward. */
	int64_t next_ms = timers_next_ms(&sender->retries);
	return next_ms < now_ms + IDLE_MS ? next_ms : now_ms + IDLE_MS;
}
