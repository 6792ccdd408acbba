/* See stripe.h. A call is checked and written as a request by stripe_request.c, travels by the
 * fetcher of lib/http, and its answer is read by stripe_reply.c; here is what holds them together.
 *
 * DESIGN. Slots are allocated once, one for each call that may be submitted, and each holds all
 * that its request points at. A slot is free, on its way (the fetcher has it), or refused (it never
 * was sent and waits to be collected). One thread, no locks. */
#include "tech-two-phase-payments/stripe/stripe.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

#include "lib/http/client.h"
#include "tech-two-phase-payments/stripe/stripe_reply.h"
#include "tech-two-phase-payments/stripe/stripe_request.h"
#include "tech-two-phase-payments/stripe/stripe_webhook.h"

enum { HEADERS_MAX = 4, URL_SIZE = 512 + STRIPE_PATH_SIZE, COLLECT_MAX = 64 };

struct slot {
	struct http_fetch fetch;
	struct http_fetch_header headers[HEADERS_MAX];
	struct stripe_request request;
	struct payment_call *call;
	struct slot *next; /* Among the free or the refused ones. */
	char url[URL_SIZE];
};

struct stripe {
	struct payment_provider base;
	struct http_fetcher *fetcher;
	struct slot *slots, *free, *refused, **refused_end;
	size_t refused_count;
	struct clock *clock;
	char *base_url, *authorization, *api_version;
	char *webhook_secrets[STRIPE_WEBHOOK_SECRETS_MAX];
	size_t webhook_secret_count;
	int64_t webhook_tolerance_ms;
	bool plain_urls;
};

static const struct payment_provider_ops stripe_ops;
static enum status options_check(const struct stripe_options *options, struct fault *fault);
static enum status set_up(
	struct stripe *stripe, const struct stripe_options *options, struct fault *fault);
static enum status send_call(struct stripe *stripe, struct slot *slot, struct fault *fault);
static void refuse(struct stripe *stripe, struct slot *slot, const struct fault *fault);
static struct payment_call *finish(struct stripe *stripe, struct slot *slot);
static void read_fetch(struct stripe *stripe, struct slot *slot);

static struct stripe *stripe_of(const struct payment_provider *provider)
{
	assert(provider->ops == &stripe_ops);
	return (struct stripe *)(uintptr_t)provider;
}

enum status stripe_open(const struct stripe_options *options, struct payment_provider **provider,
	struct fault *fault)
{
	*provider = NULL;
	enum status status = options_check(options, fault);
	if (status != STATUS_OK)
		return status;
	struct stripe *stripe = calloc(1, sizeof *stripe);
	if (!stripe || sodium_init() < 0) {
		free(stripe);
		fault_set(fault, "stripe", "there is not enough memory for it");
		return STATUS_UNAVAILABLE;
	}
	stripe->base.ops = &stripe_ops;
	status = set_up(stripe, options, fault);
	if (status != STATUS_OK) {
		payment_close(&stripe->base);
		return status;
	}
	*provider = &stripe->base;
	return STATUS_OK;
}

/* ---- The operations ---- */

static enum status stripe_submit(struct payment_provider *provider, struct payment_call *call)
{
	struct stripe *stripe = stripe_of(provider);
	struct slot *slot = stripe->free;
	struct fault fault;
	if (!slot)
		return STATUS_UNAVAILABLE;
	assert(!call->own.submitted);

	call->result = (struct payment_result){0};
	slot->call = call;
	enum status status = stripe_request_write(call, &slot->request, &fault);
	if (status == STATUS_OK)
		status = send_call(stripe, slot, &fault);
	if (status == STATUS_UNAVAILABLE) {
		slot->call = NULL;
		return status;
	}
	stripe->free = slot->next;
	call->own.submitted = true;
	if (status == STATUS_REFUSED)
		refuse(stripe, slot, &fault);
	return STATUS_OK;
}

static size_t stripe_collect(struct payment_provider *provider, int64_t timeout_ms,
	struct payment_call *done[], size_t max)
{
	struct stripe *stripe = stripe_of(provider);
	struct http_fetch *fetched[COLLECT_MAX];
	size_t count = 0;
	while (count < max && stripe->refused) {
		struct slot *slot = stripe->refused;
		stripe->refused = slot->next;
		stripe->refused_count--;
		if (!stripe->refused)
			stripe->refused_end = &stripe->refused;
		done[count++] = finish(stripe, slot);
	}
	/* Also with a full array: what is in flight moves only here. */
	size_t room = max - count < COLLECT_MAX ? max - count : COLLECT_MAX;
	size_t fetched_count =
		http_fetcher_collect(stripe->fetcher, count > 0 ? 0 : timeout_ms, fetched, room);
	for (size_t i = 0; i < fetched_count; i++) {
		struct slot *slot = fetched[i]->context;
		read_fetch(stripe, slot);
		done[count++] = finish(stripe, slot);
	}
	return count;
}

static void stripe_wakeup(struct payment_provider *provider)
{
	http_fetcher_wakeup(stripe_of(provider)->fetcher);
}

static struct payment_counts stripe_counts(const struct payment_provider *provider)
{
	const struct stripe *stripe = stripe_of(provider);
	struct http_fetcher_counts counts = http_fetcher_counts(stripe->fetcher);
	return (struct payment_counts){
		.waiting = counts.queued + counts.pausing,
		.in_flight = counts.in_flight,
		.done = counts.done + stripe->refused_count,
	};
}

static enum status stripe_read_event(const struct payment_provider *provider,
	struct slice signature, struct slice body, int64_t now_ms, struct payment_event *event,
	struct fault *fault)
{
	const struct stripe *stripe = stripe_of(provider);
	const struct stripe_webhook_keys keys = {
		.secrets = (const char *const *)stripe->webhook_secrets,
		.count = stripe->webhook_secret_count,
		.tolerance_ms = stripe->webhook_tolerance_ms,
	};
	enum status status = stripe_webhook_verify(&keys, signature, body, now_ms, fault);
	return status == STATUS_OK ? stripe_event_read(body, event, fault) : status;
}

static void free_secret(char *secret)
{
	if (secret)
		sodium_memzero(secret, strlen(secret));
	free(secret);
}

static void stripe_close(struct payment_provider *provider)
{
	struct stripe *stripe = stripe_of(provider);
	http_fetcher_close(stripe->fetcher);
	for (size_t i = 0; stripe->slots && i < stripe->base.traits.submitted_max; i++) {
		struct slot *slot = &stripe->slots[i];
		if (slot->call)
			slot->call->own.submitted = false;
		http_fetch_release(&slot->fetch);
		buffer_release(&slot->request.body);
	}
	free(stripe->slots);
	free(stripe->base_url);
	free_secret(stripe->authorization);
	free(stripe->api_version);
	for (size_t i = 0; i < stripe->webhook_secret_count; i++)
		free_secret(stripe->webhook_secrets[i]);
	free(stripe);
}

static const struct payment_provider_ops stripe_ops = {
	.submit = stripe_submit,
	.collect = stripe_collect,
	.wakeup = stripe_wakeup,
	.counts = stripe_counts,
	.read_event = stripe_read_event,
	.close = stripe_close,
};

/* ---- One call ---- */

static void add_header(struct slot *slot, const char *name, struct slice value)
{
	assert(slot->fetch.header_count < HEADERS_MAX);
	slot->headers[slot->fetch.header_count++] = (struct http_fetch_header){name, value};
}

static enum status send_call(struct stripe *stripe, struct slot *slot, struct fault *fault)
{
	const struct payment_call *call = slot->call;
	int size =
		snprintf(slot->url, sizeof slot->url, "%s%s", stripe->base_url, slot->request.path);
	if (size < 0 || (size_t)size >= sizeof slot->url)
		return fault_set(fault, "reference", "makes too long a URL");
	slot->fetch = (struct http_fetch){
		.method = slot->request.method,
		.url = slot->url,
		.headers = slot->headers,
		.body = buffer_slice(&slot->request.body),
		.deadline_ms = call->deadline_ms,
		.retry = HTTP_RETRY_IDEMPOTENT, /* By its key, or because it only reads. */
		.context = slot,
	};
	add_header(slot, "Authorization", slice_of(stripe->authorization));
	add_header(slot, "Stripe-Version", slice_of(stripe->api_version));
	if (call->own.operation != PAYMENT_LOOK_UP) {
		add_header(slot, "Content-Type", slice_of("application/x-www-form-urlencoded"));
		add_header(slot, "Idempotency-Key", call->key);
	}
	return http_fetcher_submit(stripe->fetcher, &slot->fetch);
}

static void refuse(struct stripe *stripe, struct slot *slot, const struct fault *fault)
{
	struct payment_result *result = &slot->call->result;
	result->status = STATUS_REFUSED;
	snprintf(result->reason, sizeof result->reason, "%.63s", fault->where);
	snprintf(result->detail, sizeof result->detail, "%.50s %.100s", fault->where, fault->what);
	slot->next = NULL;
	*stripe->refused_end = slot;
	stripe->refused_end = &slot->next;
	stripe->refused_count++;
}

/* Give the slot back, and the call to whoever collects. */
static struct payment_call *finish(struct stripe *stripe, struct slot *slot)
{
	struct payment_call *call = slot->call;
	http_fetch_release(&slot->fetch);
	slot->call = NULL;
	slot->next = stripe->free;
	stripe->free = slot;
	call->own.submitted = false;
	return call;
}

static bool header_is(const struct http_fetch *fetch, const char *name, const char *text)
{
	struct slice value;
	return http_fetch_reply_header(fetch, name, &value) && slice_is(value, text);
}

/* Seconds only: a date is for caches. */
static int64_t read_retry_after_ms(const struct http_fetch *fetch)
{
	enum { SECONDS_MAX = 3600 };
	struct slice value;
	int64_t seconds = 0;
	if (http_fetch_reply_header(fetch, "Retry-After", &value) &&
		!slice_to_integer(value, 0, SECONDS_MAX, &seconds))
		seconds = 0;
	return seconds * 1000;
}

static void read_answer(struct stripe *stripe, struct slot *slot)
{
	struct payment_result *result = &slot->call->result;
	struct stripe_answer answer = {
		.http_status = slot->fetch.result.status,
		.body = slot->fetch.result.body,
		.replayed = header_is(&slot->fetch, "Idempotent-Replayed", "true"),
		.lost_before = slot->fetch.result.attempts_lost > 0,
		.plain_urls = stripe->plain_urls,
	};
	struct slice request_id;
	http_fetch_reply_header(&slot->fetch, "Stripe-Should-Retry", &answer.should_retry);
	if (http_fetch_reply_header(&slot->fetch, "Request-Id", &request_id))
		stripe_copy_id(request_id, result->request_id);
	stripe_reply_read(slot->call, &answer, result);
	if (result->next == PAYMENT_NEXT_REPEAT)
		result->retry_after_ms = read_retry_after_ms(&slot->fetch);
}

/* What became of a request that is over. */
static void read_fetch(struct stripe *stripe, struct slot *slot)
{
	const struct http_fetch_result *fetched = &slot->fetch.result;
	struct payment_result *result = &slot->call->result;
	bool harmless = slot->call->own.operation == PAYMENT_LOOK_UP;
	switch (fetched->outcome) {
	case HTTP_FETCH_ANSWERED:
		read_answer(stripe, slot);
		break;
	case HTTP_FETCH_REFUSED:
		result->status = STATUS_REFUSED;
		break;
	case HTTP_FETCH_NOT_SENT:
		result->status = STATUS_UNAVAILABLE;
		result->next = PAYMENT_NEXT_REPEAT;
		break;
	case HTTP_FETCH_TOO_LARGE: /* It would be as large again. */
		result->status = harmless ? STATUS_UNAVAILABLE : STATUS_UNKNOWN;
		result->next = harmless ? PAYMENT_NEXT_REPEAT : PAYMENT_NEXT_LOOK_UP;
		break;
	case HTTP_FETCH_LOST:
		result->status = harmless ? STATUS_UNAVAILABLE : STATUS_UNKNOWN;
		result->next = PAYMENT_NEXT_REPEAT;
		break;
	}
	result->attempts = fetched->attempts;
	result->http_status = fetched->status;
	result->took_us = fetched->times.total_us;
	if (fetched->outcome != HTTP_FETCH_ANSWERED)
		snprintf(result->detail, sizeof result->detail, "%s, %s: %.100s",
			http_fetch_outcome_name(fetched->outcome),
			http_fetch_cause_name(fetched->cause), fetched->detail);
}

/* ---- Opening ---- */

static bool is_line(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7F)
			return false;
	return true;
}

static bool is_secret_key(const char *key)
{
	struct slice text = slice_of(key);
	return is_line(key) && text.size > 3 && text.size < 256 &&
		(slice_starts_with(text, "sk_") || slice_starts_with(text, "rk_"));
}

static enum status options_check(const struct stripe_options *options, struct fault *fault)
{
	const char *url = options->base_url ? options->base_url : STRIPE_BASE_URL;
	const char *key = options->secret_key ? options->secret_key : "";
	struct slice base = slice_of(url);
	bool plain = slice_starts_with(base, "http://");
	size_t scheme = plain ? 7 : 8;
	if ((!plain && !slice_starts_with(base, "https://")) || !is_line(url) ||
		base.size <= scheme || base.size > 500 || strpbrk(url + scheme, "/?#@"))
		return fault_set(fault, "base_url", "is no http or https URL without a path");
	if (!is_secret_key(key))
		return fault_set(fault, "secret_key", "is missing or no secret key");
	if (plain && !strstr(key, "_test_"))
		return fault_set(
			fault, "base_url", "must be https for a key that moves real money");
	if (options->api_version &&
		(!*options->api_version || !is_line(options->api_version) ||
			strlen(options->api_version) > 64))
		return fault_set(fault, "api_version", "is malformed");
	for (size_t i = 0; i < STRIPE_WEBHOOK_SECRETS_MAX && options->webhook_secrets[i]; i++)
		if (strlen(options->webhook_secrets[i]) < 16)
			return fault_set(fault, "webhook_secrets", "has one that is too short");
	if (options->webhook_tolerance_ms < 0 || options->webhook_tolerance_ms > 24 * 3600 * 1000)
		return fault_set(fault, "webhook_tolerance_ms", "is not between 0 and a day");
	if (options->in_flight_max > STRIPE_IN_FLIGHT_MAX ||
		options->submitted_max > STRIPE_SUBMITTED_MAX)
		return fault_set(fault, "in_flight_max, submitted_max", "is too large");
	return STATUS_OK;
}

static bool copy_texts(struct stripe *stripe, const struct stripe_options *options)
{
	size_t size = strlen(options->secret_key) + sizeof "Bearer ";
	const char *version = options->api_version ? options->api_version : STRIPE_API_VERSION;
	stripe->base_url = strdup(options->base_url ? options->base_url : STRIPE_BASE_URL);
	stripe->api_version = strdup(version);
	stripe->authorization = malloc(size);
	if (!stripe->base_url || !stripe->api_version || !stripe->authorization)
		return false;
	snprintf(stripe->authorization, size, "Bearer %s", options->secret_key);
	for (size_t i = 0; i < STRIPE_WEBHOOK_SECRETS_MAX && options->webhook_secrets[i]; i++) {
		stripe->webhook_secrets[i] = strdup(options->webhook_secrets[i]);
		if (!stripe->webhook_secrets[i])
			return false;
		stripe->webhook_secret_count++;
	}
	return true;
}

static enum status open_fetcher(
	struct stripe *stripe, const struct stripe_options *options, struct fault *fault)
{
	size_t in_flight_max = stripe->base.traits.in_flight_max;
	const struct http_fetcher_options fetcher = {
		.in_flight_max = in_flight_max,
		.queue_max = stripe->base.traits.submitted_max - in_flight_max + 1,
		.user_agent = "onsale-payments",
		.ca_file = options->ca_file,
		.connect_ms_max = options->connect_ms_max,
		.attempt_ms_max = options->attempt_ms_max ? options->attempt_ms_max : 30000,
		.total_ms_max = options->total_ms_max ? options->total_ms_max : 60000,
		.reply_bytes_max = STRIPE_REPLY_BYTES_MAX,
		.body_bytes_max = STRIPE_BODY_SIZE_MAX,
		.backoff_ms_min = options->backoff_ms_min,
		.backoff_ms_max = options->backoff_ms_max ? options->backoff_ms_max : 2000,
		.attempts_max = options->attempts_max ? options->attempts_max : 3,
		.seed = options->seed,
		.clock = options->clock,
	};
	return http_fetcher_open(&fetcher, &stripe->fetcher, fault);
}

static enum status set_up(
	struct stripe *stripe, const struct stripe_options *options, struct fault *fault)
{
	size_t in_flight_max = options->in_flight_max ? options->in_flight_max : 64;
	size_t submitted_max = options->submitted_max ? options->submitted_max : 4096;
	submitted_max = submitted_max > in_flight_max ? submitted_max : in_flight_max;
	stripe->base.traits = (struct payment_traits){
		.name = "stripe",
		.webhook_header = "Stripe-Signature",
		.key_ms_min = 24 * 3600 * 1000,
		.authorization_ms_min = STRIPE_AUTHORIZATION_MS_MIN,
		.in_flight_max = in_flight_max,
		.submitted_max = submitted_max,
		.partial_capture = true,
		.partial_refund = true,
	};
	stripe->refused_end = &stripe->refused;
	stripe->webhook_tolerance_ms =
		options->webhook_tolerance_ms ? options->webhook_tolerance_ms : STRIPE_TOLERANCE_MS;
	stripe->slots = calloc(submitted_max, sizeof *stripe->slots);
	if (!stripe->slots || !copy_texts(stripe, options)) {
		fault_set(fault, "stripe", "there is not enough memory for it");
		return STATUS_UNAVAILABLE;
	}
	stripe->plain_urls = slice_starts_with(slice_of(stripe->base_url), "http://");
	for (size_t i = submitted_max; i-- > 0;) {
		buffer_init(&stripe->slots[i].request.body, STRIPE_BODY_SIZE_MAX);
		stripe->slots[i].next = stripe->free;
		stripe->free = &stripe->slots[i];
	}
	return open_fetcher(stripe, options, fault);
}
