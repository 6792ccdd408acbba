/* An HTTP/1.1 client for slow remote services: many calls in flight at once on one thread.
 *
 * DESIGN. A fetcher is one libcurl multi handle with `in_flight_max` slots. Calls are submitted and
 * collected; between the two they wait in a queue, are on the wire in a slot, or wait out a pause
 * before their next attempt, which takes no slot. Each slot is refilled as soon as its attempt is
 * over, so one slow answer delays nobody else. Nothing happens outside of collect: it is the one
 * place that waits, and the only one that moves bytes.
 *
 * What matters most to a caller that moves money is whether a call that failed may have had its
 * effect. The fetcher says NOT_SENT only when not one byte of the request has left in any attempt,
 * and LOST otherwise. So that this stays true, it speaks HTTP/1.1 only, never follows a redirect,
 * and forbids what libcurl does by itself when a reused connection turns out to be dead: sending
 * the request a second time, POST or not.
 *
 *	struct http_fetch fetch = {
 *		.method = "POST", .url = "https://api.example.com/v1/charges",
 *		.headers = headers, .header_count = 2, .body = body,
 *		.retry = HTTP_RETRY_IDEMPOTENT, .deadline_ms = http_deadline_ms(exchange),
 *	};
 *	if (http_fetcher_submit(fetcher, &fetch) != STATUS_OK)
 *		…too much to do: answer 503
 *	struct http_fetch *done[16];
 *	size_t count = http_fetcher_collect(fetcher, 1000, done, 16);
 *	…read done[i]->result, then http_fetch_release(done[i])
 *
 * A fetcher belongs to one thread; only http_fetcher_wakeup may be called by others. Who has a poll
 * loop of their own gives the fetcher a thread, as a lane does: libcurl's descriptors change with
 * every call, so there is none to hand out. */
#pragma once

#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct http_fetcher;

enum {
	HTTP_FETCH_URL_SIZE_MAX = 8192,
	HTTP_FETCH_HEADERS_MAX = 32,
	HTTP_FETCH_DETAIL_SIZE = 128,
	HTTP_FETCHER_IN_FLIGHT_MAX = 4096,
	HTTP_FETCHER_QUEUE_MAX = 1 << 20,
	HTTP_FETCHER_MS_MAX = 24 * 3600 * 1000, /* Of each option and of one attempt. */
};

/* ---- One call ---- */

enum http_fetch_outcome {
	HTTP_FETCH_ANSWERED, /* The whole answer is there, whatever its status; 3xx is not followed.
			      */
	HTTP_FETCH_REFUSED,  /* Nothing was sent, and the same call would be refused again. */
	HTTP_FETCH_NOT_SENT, /* No attempt sent anything: it had no effect, and a retry is safe. */
	HTTP_FETCH_LOST,     /* Sent, perhaps in part, without a whole answer: perhaps applied. */
	HTTP_FETCH_TOO_LARGE, /* Answered, but with more than the limits allow. Was applied or not.
			       */
};

/* Why it was not answered; for logs, metrics and tests. */
enum http_fetch_cause {
	HTTP_CAUSE_NONE,      /* ANSWERED. */
	HTTP_CAUSE_REQUEST,   /* The URL, the method, a header or the body is not allowed. */
	HTTP_CAUSE_ADDRESS,   /* Every address of the host is private, and the policy forbids those.
			       */
	HTTP_CAUSE_RESOLVE,   /* The host has no address. */
	HTTP_CAUSE_CONNECT,   /* No connection. */
	HTTP_CAUSE_TLS,       /* No secure connection: most often its certificate is not trusted. */
	HTTP_CAUSE_TIMEOUT,   /* The attempt's time or the call's deadline was over. */
	HTTP_CAUSE_BROKEN,    /* The connection ended early. */
	HTTP_CAUSE_MALFORMED, /* What came is no HTTP/1 answer. */
	HTTP_CAUSE_SIZE,      /* The answer is too large. */
	HTTP_CAUSE_CANCELED,  /* By http_fetcher_cancel or http_fetcher_close. */
	HTTP_CAUSE_MEMORY,    /* There was too little. */
	HTTP_CAUSE_COUNT,
};

/* When an attempt that failed is followed by another, with a pause of exponential backoff and full
 * jitter: uniform between 0 and min(backoff_ms_max, backoff_ms_min × 2^(attempts − 1)) (M. Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Never when that pause, or the
 * answer's Retry-After (RFC 9110, section 10.2.3), would reach the call's deadline: then the call
 * is over at once, with the last attempt's result. */
enum http_retry {
	HTTP_RETRY_NEVER,
	HTTP_RETRY_IF_NOT_SENT, /* Right for any call: only NOT_SENT is repeated. */
	HTTP_RETRY_IDEMPOTENT,  /* Also LOST, and the statuses 429, 502, 503, 504. For calls whose
				 * method or idempotency key makes repeating them harmless. */
};

struct http_fetch_header {
	const char *name;   /* A token (RFC 9110, section 5.6.2). */
	struct slice value; /* Not empty, without control characters; spaces around it are cut. */
};

/* Signing by AWS Signature Version 4, done by libcurl. 7.88 signs requests with queries, with
 * escapes in the path, or with headers whose names repeat or begin with one another (host and
 * x-amz-date included) in a way that AWS does not accept; so these are refused. */
struct http_fetch_aws {
	const char *region;  /* "us-east-1" */
	const char *service; /* "dynamodb", "sqs" */
	const char *access_key;
	const char *secret_key;
	const char *session_token; /* NULL: none. */
};

struct http_fetch_times {
	int64_t waited_us;     /* From submit to the beginning of the last attempt. */
	int64_t connected_us;  /* From there until the connection was ready; 0: it was reused. */
	int64_t first_byte_us; /* From there until the answer began; 0: never. */
	int64_t total_us;      /* From submit to the end. */
};

struct http_fetch_result {
	enum http_fetch_outcome outcome;
	enum http_fetch_cause cause;
	unsigned status; /* Of the last attempt; 0: no status line has come. May be set for LOST. */
	struct slice body;      /* Empty unless ANSWERED. A zero byte does not follow. */
	unsigned attempts;      /* How often it was tried, from 0. */
	unsigned attempts_lost; /* How many of those may have been applied without an answer; so an
				 * ANSWERED call with some may have been applied more than once. */
	struct http_fetch_times times;
	char detail[HTTP_FETCH_DETAIL_SIZE]; /* In words, for the log. Empty when ANSWERED. */
};

/* A call, in the caller's memory. Fill in the request, leave the rest zero. From submit until it is
 * collected the struct and everything that the request points at must stay as they are. */
struct http_fetch {
	const char *method; /* GET, HEAD, POST, PUT, PATCH or DELETE. */
	const char *url;    /* http or https, RFC 3986 characters only, without user information. */
	const struct http_fetch_header *headers; /* Host, Content-Length, Transfer-Encoding, Expect
						  * and those of the connection are the fetcher's
						  * own and refused here. */
	size_t header_count;
	struct slice body; /* With one, a Content-Type among the headers is required. GET and HEAD
			    * have none. */
	const struct http_fetch_aws *aws; /* NULL: not signed. */
	int64_t deadline_ms;    /* Monotonic, on the fetcher's clock, for all attempts and pauses
				 * together. 0: the fetcher's total_ms_max from submit on. */
	int64_t attempt_ms_max; /* For each attempt, connecting included. 0: the fetcher's. */
	enum http_retry retry;
	unsigned attempts_max; /* 0: the fetcher's. */
	void *context;         /* The caller's. */

	struct http_fetch_result result; /* Once collected. */

	/* The fetcher's own. */
	struct {
		struct http_fetch *previous, *next;
		struct http_fetch_slot *slot;
		int place;
		bool sent; /* By some attempt. */
		int64_t submitted_ns, deadline_ms, due_ms;
		struct buffer head, body;
	} own;
};

/* The value of the first header of this name in the answer, in any case; interim answers (1xx) and
 * trailers do not count. False: there is none. The slice lives until the release. */
bool http_fetch_reply_header(const struct http_fetch *fetch, const char *name, struct slice *value);

/* Give back what the result holds: after that its body and headers are gone, and the call may be
 * submitted again. Allowed on a call that never was submitted if it is zero. */
void http_fetch_release(struct http_fetch *fetch);

/* The names in lower case, for logs and metrics. Never NULL. */
const char *http_fetch_outcome_name(enum http_fetch_outcome outcome);
const char *http_fetch_cause_name(enum http_fetch_cause cause);

/* ---- The fetcher ---- */

enum http_fetch_addresses {
	HTTP_ADDRESSES_ALL,
	HTTP_ADDRESSES_PUBLIC, /* Only those that the whole Internet can reach (the IANA
				* special-purpose registries, RFC 6890), for URLs that users give.
				* What counts is the address that is connected to, so a name that
				* resolves to another one at the second look gains nothing. */
};

enum http_fetch_proxy {
	HTTP_PROXY_NONE,
	HTTP_PROXY_ENVIRONMENT, /* http_proxy, https_proxy, no_proxy. Not with ADDRESSES_PUBLIC: the
				 * proxy would connect where it likes. */
};

struct http_fetcher_options {
	size_t in_flight_max;            /* Calls on the wire at once. 0: 64. */
	size_t queue_max;                /* Calls beyond those. 0: 1,024. */
	size_t connections_max;          /* Open at once, idle ones included. 0: in_flight_max. */
	size_t connections_per_host_max; /* 0: connections_max. With fewer than calls in flight, an
					  * attempt waits for its connection, in its own time. */
	const char *user_agent;          /* NULL: "onsale". */
	const char *ca_file; /* Trust these certificates and no others; NULL: the system's. There is
			      * no way to trust everybody. */
	enum http_fetch_addresses addresses;
	enum http_fetch_proxy proxy;
	int64_t connect_ms_max; /* For name, connection and TLS. 0: 5 s. */
	int64_t attempt_ms_max; /* 0: 10 s. */
	int64_t total_ms_max;   /* For a call without a deadline of its own. 0: 30 s. */
	int64_t idle_ms_max;    /* A connection idle for longer is not used again; should be less
				 * than the server's own limit. In whole seconds. 0: 30 s. */
	size_t head_bytes_max;  /* Of an answer's status lines and headers. 0: 64 KiB. */
	size_t reply_bytes_max; /* Of an answer's body. 0: 1 MiB. */
	size_t body_bytes_max;  /* Of a request's body. 0: 1 MiB. Above 1 MiB libcurl asks first
				 * (Expect: 100-continue) and waits up to 1 s for the answer. */
	int64_t backoff_ms_min; /* 0: 100 ms. */
	int64_t backoff_ms_max; /* 0: 10 s. */
	unsigned attempts_max;  /* 0: 4. */
	uint64_t seed;          /* Of the jitter. 0: from the kernel. */
	struct clock *clock;    /* For deadlines and pauses between attempts; NULL: the system's.
				 * Bytes on the wire are always timed by the system's. */
};

struct http_fetcher_counts {
	size_t queued, pausing, in_flight, done; /* Now. */
	uint64_t attempts, connections;          /* Since it was opened. */
};

/* Make a fetcher. REFUSED with `fault` when an option is wrong; UNAVAILABLE when memory or
 * descriptors are short. The options' texts are copied, the clock is borrowed. Where SIGPIPE
 * would end the process it is ignored from then on, since OpenSSL raises it when a server goes away
 * while it is written to. */
__attribute__((warn_unused_result)) enum status http_fetcher_open(
	const struct http_fetcher_options *options, struct http_fetcher **fetcher,
	struct fault *fault);

/* Give every call that was not yet collected an outcome (CANCELED, unless it is done), and free
 * everything but the calls themselves, which are still to be released. NULL is allowed. */
void http_fetcher_close(struct http_fetcher *fetcher);

/* Take a call in. OK: it will be collected exactly once, whatever becomes of it; a request that is
 * not allowed is collected as REFUSED. UNAVAILABLE: in_flight_max + queue_max calls are submitted
 * and not collected, and this one was not touched. */
__attribute__((warn_unused_result)) enum status http_fetcher_submit(
	struct http_fetcher *fetcher, struct http_fetch *fetch);

/* Move what is in flight, until at least one call is done, `timeout_ms` have passed (negative:
 * never) or somebody called http_fetcher_wakeup. Puts up to `max` done calls into `done`, in the
 * order in which they were done, and returns how many. Without any call it waits all the same. */
size_t http_fetcher_collect(
	struct http_fetcher *fetcher, int64_t timeout_ms, struct http_fetch *done[], size_t max);

/* Let the collect that waits now, or else the next one, return at once. Any thread may call, as
 * long as the fetcher is open. */
void http_fetcher_wakeup(struct http_fetcher *fetcher);

/* Give a submitted call up: NOT_SENT or LOST, still to be collected. Without effect when it is
 * done. */
void http_fetcher_cancel(struct http_fetcher *fetcher, struct http_fetch *fetch);

struct http_fetcher_counts http_fetcher_counts(const struct http_fetcher *fetcher);
