/* What clients do to orders: make, confirm, finalize and cancel them, each exactly once per
 * Idempotency-Key.
 *
 * DESIGN. A handler on the loop checks the request and hands it to one lane. While the lane's
 * statement runs, requests pile up, and the next statement takes the pile: all requests of a kind
 * at once, each with the record of its key, in one commit. Which transitions are legal is the table
 * of lib/ticketing, whose states are the statement's parameter. The statement names the requests it
 * has applied; a second one tells what became of the others: answered before, or not allowed.
 *
 * A lost COMMIT is harmless: the statement is sent once more, and finds the keys of the first. */
#pragma once

#include <stdatomic.h>

#include "lib/base/id.h"
#include "lib/batch/lane.h"
#include "lib/http/idempotency.h"
#include "lib/metrics/metrics.h"
#include "tech-two-phase-payments/order_feed.h"

enum order_write_kind {
	ORDER_WRITE_CREATE,
	ORDER_WRITE_CONFIRM,
	ORDER_WRITE_FINALIZE,
	ORDER_WRITE_CANCEL,
	ORDER_WRITE_WAKE, /* An event of the provider's about a payment. */
	ORDER_WRITE_KINDS,
};

/* One request, in its exchange's arena. Zero but for what its kind needs. */
struct order_write {
	struct lane_item item;
	enum order_write_kind kind;
	struct http_exchange *exchange;
	struct http_idempotency idempotency; /* Not of a wake. */
	struct id order_id;                  /* The new one's for CREATE. */
	struct slice user, currency, items;  /* CREATE; the items as JSON. */
	int64_t total;                       /* CREATE */
	struct slice payment_method;         /* CONFIRM */
	struct slice reference;              /* WAKE */

	/* The writer's own. */
	char fingerprint[2 * HTTP_FINGERPRINT_SIZE + 1];
	char order_text[ID_TEXT_SIZE];
};

struct order_writer;

struct order_writer_options {
	const char *database_url;
	int64_t database_ms;                /* For one call to it. */
	int64_t confirm_ms;                 /* A new order's time to be confirmed. */
	_Atomic(struct order_feed *) *feed; /* NULL there until there is one. */
	/* Something of this kind was committed: wake the stage that has to do with it. */
	void (*written)(void *context, enum order_write_kind kind);
	void *context;
	struct metrics *metrics; /* NULL: none. */
};

/* Opens its lane and its connection. UNAVAILABLE when memory or threads are short. */
__attribute__((warn_unused_result)) enum status order_writer_open(
	const struct order_writer_options *options, struct order_writer **writer);

/* Answer what is queued, and free it. NULL is allowed. */
void order_writer_close(struct order_writer *writer);

/* Metrics, before metrics_freeze(). */
void order_writer_register_metrics(struct metrics *metrics);

/* Take over a request: defers its exchange, replies and completes it, whatever happens. On the
 * loop. */
void order_writer_submit(struct order_writer *writer, struct order_write *write);
