/* What the client*.c files share and nobody else sees. */
#pragma once

#include <assert.h>
#include <curl/curl.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "lib/http/client.h"

/* Where a call is. Each place but the wire is a list. */
enum http_fetch_place {
	HTTP_FETCH_IDLE,
	HTTP_FETCH_QUEUED,
	HTTP_FETCH_PAUSING,
	HTTP_FETCH_IN_FLIGHT,
	HTTP_FETCH_DONE,
	HTTP_FETCH_PLACE_COUNT,
};

struct http_fetch_list {
	struct http_fetch *first, *last;
	size_t count;
};

/* What carries one attempt, and is then used for another call's. */
struct http_fetch_slot {
	struct http_fetcher *fetcher;
	struct http_fetch *fetch; /* NULL: free. */
	CURL *easy;
	struct curl_slist *headers;
	struct http_fetch_slot *next_free;
	int64_t end_ms; /* When the attempt's time is over, on the system's clock. */
	unsigned sends; /* How often libcurl was about to send the request. */
	size_t head_bytes;
	bool head_is_final; /* The empty line behind the headers of the answer has come. */
	bool too_large;
	unsigned addresses_tried, addresses_refused;
	char error[CURL_ERROR_SIZE];
};

struct http_fetcher {
	struct http_fetcher_options options; /* Without zeros: defaults are filled in. */
	char *user_agent, *ca_file;
	CURLM *multi;
	struct http_fetch_slot *slots, *free_slots;
	struct http_fetch_list places[HTTP_FETCH_PLACE_COUNT];
	uint64_t random;
	uint64_t attempts, connections;
	atomic_bool woken;
};

/* What one attempt came to. */
struct http_attempt_result {
	enum http_fetch_outcome outcome;
	enum http_fetch_cause cause;
};

/* client_check.c: whether the request may be sent as it is; if not, `detail` says why. */
bool http_fetch_check(const struct http_fetch *fetch, const struct http_fetcher_options *options,
	char detail[HTTP_FETCH_DETAIL_SIZE]);

/* client_attempt.c: prepare the slot's handle for its call and give it to the multi handle. False:
 * memory was short, and nothing was started. */
bool http_attempt_start(struct http_fetch_slot *slot, int64_t attempt_ms);

/* Take it from the multi handle, whether it is over with `code` or still going on, and judge it. */
struct http_attempt_result http_attempt_end(struct http_fetch_slot *slot, CURLcode code);

/* client_retry.c: whether this policy repeats an attempt that ended so. */
bool http_retry_allowed(enum http_retry retry, enum http_fetch_outcome outcome, unsigned status);

/* The pause after the attempt with number `attempts`, from 1; moves `random` on. */
int64_t http_backoff_ms(
	int64_t backoff_ms_min, int64_t backoff_ms_max, unsigned attempts, uint64_t *random);

/* What a Retry-After header says, in ms from now: seconds or an HTTP date (RFC 9110, section
 * 10.2.3). 0 when it says neither, or a time that has passed. */
int64_t http_retry_after_ms(struct slice value, int64_t wall_ms);

/* client_address.c: whether the whole Internet can reach this address. */
bool http_address_is_public(const struct sockaddr *address);
