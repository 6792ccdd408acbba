/* The fetcher: calls move from the queue to the wire, perhaps by way of a pause back to the queue,
 * and end among those that are done. See client.h; one attempt on the wire is client_attempt.c. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/id.h"
#include "lib/http/client_internal.h"

enum { POLL_MS_MAX = 60000 };

static void options_complete(struct http_fetcher_options *options);
static enum status options_check(const struct http_fetcher_options *options, struct fault *fault);
static enum status fetcher_set_up(struct http_fetcher *fetcher);
static void step(struct http_fetcher *fetcher);
static int64_t wait_ms(struct http_fetcher *fetcher, int64_t end_ms);
static void finish(
	struct http_fetcher *fetcher, struct http_fetch *fetch, struct http_attempt_result result);
static void end_attempt(struct http_fetch *fetch, struct http_attempt_result result);
static void place(struct http_fetcher *fetcher, struct http_fetch *fetch, enum http_fetch_place to);

static void prepare_process(void)
{
	struct sigaction action;
	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum status http_fetcher_open(const struct http_fetcher_options *options,
	struct http_fetcher **fetcher, struct fault *fault)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_fetcher_options complete = *options;
	options_complete(&complete);
	enum status status = options_check(&complete, fault);
	if (status != STATUS_OK)
		return status;

	pthread_once(&once, prepare_process);
	*fetcher = calloc(1, sizeof **fetcher);
	if (*fetcher) {
		(*fetcher)->options = complete;
		status = fetcher_set_up(*fetcher);
	}
	if (!*fetcher || status != STATUS_OK) {
		http_fetcher_close(*fetcher);
		*fetcher = NULL;
		fault_set(fault, "http_fetcher", "there is not enough memory for it");
		return STATUS_UNAVAILABLE;
	}
	return STATUS_OK;
}

void http_fetcher_close(struct http_fetcher *fetcher)
{
	if (!fetcher)
		return;
	for (int from = HTTP_FETCH_QUEUED; from <= HTTP_FETCH_IN_FLIGHT; from++)
		while (fetcher->places[from].first)
			http_fetcher_cancel(fetcher, fetcher->places[from].first);
	while (fetcher->places[HTTP_FETCH_DONE].first)
		place(fetcher, fetcher->places[HTTP_FETCH_DONE].first, HTTP_FETCH_IDLE);

	for (size_t i = 0; fetcher->slots && i < fetcher->options.in_flight_max; i++)
		curl_easy_cleanup(fetcher->slots[i].easy);
	curl_multi_cleanup(fetcher->multi);
	free(fetcher->slots);
	free(fetcher->user_agent);
	free(fetcher->ca_file);
	free(fetcher);
}

enum status http_fetcher_submit(struct http_fetcher *fetcher, struct http_fetch *fetch)
{
	const struct http_fetcher_options *options = &fetcher->options;
	size_t count = 0;
	for (int i = HTTP_FETCH_QUEUED; i < HTTP_FETCH_PLACE_COUNT; i++)
		count += fetcher->places[i].count;
	if (count >= options->in_flight_max + options->queue_max)
		return STATUS_UNAVAILABLE;

	assert(fetch->own.place == HTTP_FETCH_IDLE);
	http_fetch_release(fetch);
	buffer_init(&fetch->own.head, options->head_bytes_max);
	buffer_init(&fetch->own.body, options->reply_bytes_max);
	fetch->own.sent = false;
	fetch->own.submitted_ns = clock_monotonic_ns(options->clock);
	fetch->own.deadline_ms = fetch->deadline_ms
		? fetch->deadline_ms
		: fetch->own.submitted_ns / 1000000 + options->total_ms_max;
	place(fetcher, fetch, HTTP_FETCH_QUEUED);
	if (!http_fetch_check(fetch, options, fetch->result.detail))
		finish(fetcher, fetch,
			(struct http_attempt_result){HTTP_FETCH_REFUSED, HTTP_CAUSE_REQUEST});
	return STATUS_OK;
}

size_t http_fetcher_collect(
	struct http_fetcher *fetcher, int64_t timeout_ms, struct http_fetch *done[], size_t max)
{
	struct http_fetch_list *list = &fetcher->places[HTTP_FETCH_DONE];
	int64_t now_ms = clock_monotonic_ms(clock_system());
	int64_t end_ms =
		timeout_ms < 0 || timeout_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + timeout_ms;
	for (;;) {
		step(fetcher);
		if (list->first || atomic_exchange(&fetcher->woken, false))
			break;
		int64_t ms = wait_ms(fetcher, end_ms);
		if (ms < 0)
			break;
		curl_multi_poll(fetcher->multi, NULL, 0, (int)ms, NULL);
	}

	size_t count = 0;
	while (count < max && list->first) {
		done[count] = list->first;
		place(fetcher, done[count++], HTTP_FETCH_IDLE);
	}
	return count;
}

void http_fetcher_wakeup(struct http_fetcher *fetcher)
{
	/* curl_multi_poll does not tell a wake-up from a time-out, so it is also noted here. */
	atomic_store(&fetcher->woken, true);
	curl_multi_wakeup(fetcher->multi);
}

void http_fetcher_cancel(struct http_fetcher *fetcher, struct http_fetch *fetch)
{
	struct http_attempt_result result = {HTTP_FETCH_NOT_SENT, HTTP_CAUSE_CANCELED};
	if (fetch->own.place == HTTP_FETCH_DONE)
		return;
	assert(fetch->own.place != HTTP_FETCH_IDLE);
	if (fetch->own.slot) {
		result = http_attempt_end(fetch->own.slot, CURLE_ABORTED_BY_CALLBACK);
		result.cause = HTTP_CAUSE_CANCELED;
		end_attempt(fetch, result);
	}
	snprintf(fetch->result.detail, sizeof fetch->result.detail, "It was canceled");
	finish(fetcher, fetch, result);
}

struct http_fetcher_counts http_fetcher_counts(const struct http_fetcher *fetcher)
{
	return (struct http_fetcher_counts){
		.queued = fetcher->places[HTTP_FETCH_QUEUED].count,
		.pausing = fetcher->places[HTTP_FETCH_PAUSING].count,
		.in_flight = fetcher->places[HTTP_FETCH_IN_FLIGHT].count,
		.done = fetcher->places[HTTP_FETCH_DONE].count,
		.attempts = fetcher->attempts,
		.connections = fetcher->connections,
	};
}

/* ---- Moving calls ---- */

/* Put a call at the end of the list of its new place; IDLE has none. */
static void place(struct http_fetcher *fetcher, struct http_fetch *fetch, enum http_fetch_place to)
{
	if (fetch->own.place != HTTP_FETCH_IDLE) {
		struct http_fetch_list *from = &fetcher->places[fetch->own.place];
		*(fetch->own.previous ? &fetch->own.previous->own.next : &from->first) =
			fetch->own.next;
		*(fetch->own.next ? &fetch->own.next->own.previous : &from->last) =
			fetch->own.previous;
		from->count--;
	}
	fetch->own.previous = fetch->own.next = NULL;
	fetch->own.place = (int)to;
	if (to == HTTP_FETCH_IDLE)
		return;
	struct http_fetch_list *list = &fetcher->places[to];
	fetch->own.previous = list->last;
	*(list->last ? &list->last->own.next : &list->first) = fetch;
	list->last = fetch;
	list->count++;
}

/* The call is over. What an earlier attempt may have done is not undone by a later one that could
 * not even be sent. */
static void finish(
	struct http_fetcher *fetcher, struct http_fetch *fetch, struct http_attempt_result result)
{
	if (result.outcome == HTTP_FETCH_NOT_SENT || result.outcome == HTTP_FETCH_REFUSED)
		if (fetch->own.sent)
			result.outcome = HTTP_FETCH_LOST;
	fetch->result.outcome = result.outcome;
	fetch->result.cause = result.cause;
	fetch->result.times.total_us =
		(clock_monotonic_ns(fetcher->options.clock) - fetch->own.submitted_ns) / 1000;
	if (result.outcome == HTTP_FETCH_ANSWERED) {
		fetch->result.body = buffer_slice(&fetch->own.body);
		fetch->result.detail[0] = '\0';
	} else {
		buffer_release(&fetch->own.body);
	}
	place(fetcher, fetch, HTTP_FETCH_DONE);
}

/* The slot is free again; the call is somewhere still to be decided. */
static void end_attempt(struct http_fetch *fetch, struct http_attempt_result result)
{
	struct http_fetch_slot *slot = fetch->own.slot;
	fetch->own.slot = NULL;
	slot->fetch = NULL;
	slot->next_free = slot->fetcher->free_slots;
	slot->fetcher->free_slots = slot;
	if (result.outcome == HTTP_FETCH_LOST)
		fetch->result.attempts_lost++;
	if (result.outcome != HTTP_FETCH_NOT_SENT && result.outcome != HTTP_FETCH_REFUSED)
		fetch->own.sent = true;
}

/* Whether the call gets another attempt; then it pauses. */
static bool pause_for_retry(
	struct http_fetcher *fetcher, struct http_fetch *fetch, struct http_attempt_result result)
{
	const struct http_fetcher_options *options = &fetcher->options;
	unsigned attempts_max = fetch->attempts_max ? fetch->attempts_max : options->attempts_max;
	if (fetch->result.attempts >= attempts_max ||
		!http_retry_allowed(fetch->retry, result.outcome, fetch->result.status))
		return false;

	struct slice after;
	int64_t ms = http_backoff_ms(options->backoff_ms_min, options->backoff_ms_max,
		fetch->result.attempts, &fetcher->random);
	if (result.outcome == HTTP_FETCH_ANSWERED &&
		http_fetch_reply_header(fetch, "Retry-After", &after)) {
		int64_t asked_ms = http_retry_after_ms(after, clock_wall_ms(options->clock));
		ms = asked_ms > ms ? asked_ms : ms;
	}
	fetch->own.due_ms = clock_monotonic_ms(options->clock) + ms;
	if (fetch->own.due_ms >= fetch->own.deadline_ms)
		return false;
	place(fetcher, fetch, HTTP_FETCH_PAUSING);
	return true;
}

static void start(struct http_fetcher *fetcher, struct http_fetch *fetch, int64_t now_ms)
{
	int64_t limit_ms =
		fetch->attempt_ms_max ? fetch->attempt_ms_max : fetcher->options.attempt_ms_max;
	int64_t left_ms = fetch->own.deadline_ms - now_ms;
	struct http_fetch_slot *slot = fetcher->free_slots;
	fetcher->free_slots = slot->next_free;
	slot->fetch = fetch;
	fetch->own.slot = slot;
	fetch->result.times.waited_us = now_ms * 1000 - fetch->own.submitted_ns / 1000;
	if (fetch->result.times.waited_us < 0)
		fetch->result.times.waited_us = 0;
	place(fetcher, fetch, HTTP_FETCH_IN_FLIGHT);
	if (http_attempt_start(slot, left_ms < limit_ms ? left_ms : limit_ms)) {
		fetch->result.attempts++;
		fetcher->attempts++;
		return;
	}
	struct http_attempt_result result = {HTTP_FETCH_NOT_SENT, HTTP_CAUSE_MEMORY};
	end_attempt(fetch, result);
	finish(fetcher, fetch, result);
}

/* Fill the free slots: first come, first served. */
static void start_queued(struct http_fetcher *fetcher)
{
	int64_t now_ms = clock_monotonic_ms(fetcher->options.clock);
	while (fetcher->free_slots && fetcher->places[HTTP_FETCH_QUEUED].first)
		start(fetcher, fetcher->places[HTTP_FETCH_QUEUED].first, now_ms);
}

/* End the calls that waited past their deadline, and queue those whose pause is over. */
static void look_at_waiting(struct http_fetcher *fetcher)
{
	int64_t now_ms = clock_monotonic_ms(fetcher->options.clock);
	struct http_fetch *next;
	for (struct http_fetch *fetch = fetcher->places[HTTP_FETCH_PAUSING].first; fetch;
		fetch = next) {
		next = fetch->own.next;
		if (fetch->own.due_ms <= now_ms)
			place(fetcher, fetch, HTTP_FETCH_QUEUED);
	}
	for (struct http_fetch *fetch = fetcher->places[HTTP_FETCH_QUEUED].first; fetch;
		fetch = next) {
		next = fetch->own.next;
		if (fetch->own.deadline_ms > now_ms)
			continue;
		snprintf(fetch->result.detail, sizeof fetch->result.detail,
			"Its deadline passed while it waited for its turn");
		finish(fetcher, fetch,
			(struct http_attempt_result){HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TIMEOUT});
	}
}

static void conclude(struct http_fetcher *fetcher, struct http_fetch_slot *slot, CURLcode code)
{
	struct http_fetch *fetch = slot->fetch;
	struct http_attempt_result result = http_attempt_end(slot, code);
	end_attempt(fetch, result);
	if (!pause_for_retry(fetcher, fetch, result))
		finish(fetcher, fetch, result);
}

/* Take in the attempts that are over. Returns how many there were. */
static size_t take_ended(struct http_fetcher *fetcher)
{
	size_t count = 0;
	int remaining;
	for (CURLMsg *message; (message = curl_multi_info_read(fetcher->multi, &remaining));) {
		if (message->msg != CURLMSG_DONE)
			continue;
		struct http_fetch_slot *slot = NULL;
		CURLcode code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
		conclude(fetcher, slot, code);
		count++;
	}
	return count;
}

/* libcurl 7.88 does not look at the time of an attempt that waits for a connection until there is
 * one. */
static void end_overdue(struct http_fetcher *fetcher)
{
	int64_t now_ms = clock_monotonic_ms(clock_system());
	struct http_fetch *next;
	for (struct http_fetch *fetch = fetcher->places[HTTP_FETCH_IN_FLIGHT].first; fetch;
		fetch = next) {
		next = fetch->own.next;
		if (fetch->own.slot->end_ms <= now_ms)
			conclude(fetcher, fetch->own.slot, CURLE_OPERATION_TIMEDOUT);
	}
}

/* Do whatever can be done without waiting. A slot that became free is filled at once, but not for
 * ever: somebody may be waiting for what is done already. */
static void step(struct http_fetcher *fetcher)
{
	int running;
	size_t ended = 1;
	for (int round = 0; round < 4 && ended > 0; round++) {
		look_at_waiting(fetcher);
		start_queued(fetcher);
		curl_multi_perform(fetcher->multi, &running);
		ended = take_ended(fetcher);
	}
	end_overdue(fetcher);
	start_queued(fetcher);
}

/* How long nothing is to be done, as far as this side knows; negative: the caller's time is over.
 * What happens on the wire ends the wait by itself. */
static int64_t wait_ms(struct http_fetcher *fetcher, int64_t end_ms)
{
	int64_t now_ms = clock_monotonic_ms(clock_system());
	int64_t ms = end_ms - now_ms;
	if (ms <= 0)
		return -1;
	ms = ms < POLL_MS_MAX ? ms : POLL_MS_MAX;
	for (struct http_fetch *fetch = fetcher->places[HTTP_FETCH_IN_FLIGHT].first; fetch;
		fetch = fetch->own.next)
		ms = fetch->own.slot->end_ms - now_ms < ms ? fetch->own.slot->end_ms - now_ms : ms;
	now_ms = clock_monotonic_ms(fetcher->options.clock);
	for (struct http_fetch *fetch = fetcher->places[HTTP_FETCH_PAUSING].first; fetch;
		fetch = fetch->own.next)
		ms = fetch->own.due_ms - now_ms < ms ? fetch->own.due_ms - now_ms : ms;
	for (struct http_fetch *fetch = fetcher->places[HTTP_FETCH_QUEUED].first; fetch;
		fetch = fetch->own.next)
		ms = fetch->own.deadline_ms - now_ms < ms ? fetch->own.deadline_ms - now_ms : ms;
	return ms > 0 ? ms : 0;
}

/* ---- Opening ---- */

#define DEFAULT(field, value) options->field = options->field ? options->field : (value)

static void options_complete(struct http_fetcher_options *options)
{
	DEFAULT(in_flight_max, 64);
	DEFAULT(queue_max, 1024);
	DEFAULT(connections_max, options->in_flight_max);
	DEFAULT(connections_per_host_max, options->connections_max);
	DEFAULT(user_agent, "onsale");
	DEFAULT(connect_ms_max, 5000);
	DEFAULT(attempt_ms_max, 10000);
	DEFAULT(total_ms_max, 30000);
	DEFAULT(idle_ms_max, 30000);
	DEFAULT(head_bytes_max, 64 << 10);
	DEFAULT(reply_bytes_max, 1 << 20);
	DEFAULT(body_bytes_max, 1 << 20);
	DEFAULT(backoff_ms_min, 100);
	DEFAULT(backoff_ms_max, 10000);
	DEFAULT(attempts_max, 4);
	DEFAULT(clock, clock_system());
	if (!options->seed)
		random_bytes(&options->seed, sizeof options->seed);
}

static enum status options_check(const struct http_fetcher_options *options, struct fault *fault)
{
	if (options->in_flight_max > HTTP_FETCHER_IN_FLIGHT_MAX ||
		options->queue_max > HTTP_FETCHER_QUEUE_MAX)
		return fault_set(fault, "in_flight_max, queue_max", "is too large");
	if (options->connections_max > HTTP_FETCHER_IN_FLIGHT_MAX ||
		options->connections_per_host_max > options->connections_max)
		return fault_set(fault, "connections_max", "is too large");
	const int64_t limits_ms[] = {options->connect_ms_max, options->attempt_ms_max,
		options->total_ms_max, options->idle_ms_max, options->backoff_ms_min,
		options->backoff_ms_max};
	for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++)
		if (limits_ms[i] < 0 || limits_ms[i] > HTTP_FETCHER_MS_MAX)
			return fault_set(fault, "*_ms_max", "is negative or more than a day");
	if (options->backoff_ms_min > options->backoff_ms_max)
		return fault_set(fault, "backoff_ms_min", "is more than backoff_ms_max");
	if (options->addresses == HTTP_ADDRESSES_PUBLIC && options->proxy != HTTP_PROXY_NONE)
		return fault_set(
			fault, "proxy", "would connect to addresses that this policy cannot see");
	if (options->ca_file && access(options->ca_file, R_OK) != 0)
		return fault_set(fault, "ca_file", "%s cannot be read", options->ca_file);
	for (const char *c = options->user_agent; *c; c++)
		if (*c < ' ' || *c == 0x7F)
			return fault_set(fault, "user_agent", "has a control character");
	return STATUS_OK;
}

static enum status fetcher_set_up(struct http_fetcher *fetcher)
{
	struct http_fetcher_options *options = &fetcher->options;
	fetcher->random = options->seed;
	fetcher->multi = curl_multi_init();
	fetcher->slots = calloc(options->in_flight_max, sizeof *fetcher->slots);
	fetcher->user_agent = strdup(options->user_agent);
	fetcher->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
	if (!fetcher->multi || !fetcher->slots || !fetcher->user_agent ||
		(options->ca_file && !fetcher->ca_file))
		return STATUS_UNAVAILABLE;

	for (size_t i = options->in_flight_max; i-- > 0;) {
		struct http_fetch_slot *slot = &fetcher->slots[i];
		slot->fetcher = fetcher;
		slot->easy = curl_easy_init();
		if (!slot->easy)
			return STATUS_UNAVAILABLE;
		slot->next_free = fetcher->free_slots;
		fetcher->free_slots = slot;
	}
	curl_multi_setopt(fetcher->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max);
	curl_multi_setopt(
		fetcher->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)options->connections_max);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
		(long)options->connections_per_host_max);
	return STATUS_OK;
}
