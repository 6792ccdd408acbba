/* What clients do to orders: make, confirm, finalize and cancel them, each exactly once per
 * Idempotency-Key. Where the orders are kept, what they consist of and whose they are is the
 * front's, who gives the statements.
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

#include "lib/batch/lane.h"
#include "lib/http/idempotency.h"
#include "lib/metrics/metrics.h"
#include "lib/postgres/postgres.h"
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
	struct slice order;  /* The order's key, up to ORDER_KEY_SIZE_MAX; the new one's for CREATE.
			      * Not of a wake. */
	struct slice caller; /* Whose Idempotency-Key it is. Not of a wake. */
	struct slice content;        /* CREATE: JSON that the statement understands. */
	struct slice payment_method; /* CONFIRM; `data` NULL: none. */
	struct slice reference;      /* WAKE */

	char fingerprint[2 * HTTP_FINGERPRINT_SIZE + 1]; /* The writer's own. */
};

/* What the writer asks the database; the texts outlive it. Those that take requests get an array of
 * each; in each of them the effect and the record of its key commit together, in a table whose
 * primary key is named idempotency_keys_pkey. Of the requests they give those that they applied:
 * ordinal bigint (from 1), version bigint, body text of the reply, event text for the order's
 * stream. NULL: there is no such kind, or nothing to sweep.
 *
 *	create       $1 orders, $2 callers, $3 contents, $4 keys, $5 fingerprints, $6 operation,
 *	             $7 ms in which it is to be confirmed. Replies 201
 *	confirm      $1 orders, $2 callers, $3 keys, $4 fingerprints, $5 operation, $6 the statuses
 *	             in which the table of lib/ticketing allows it, $7 payment methods. 202
 *	finalize     as confirm, without $7. 202
 *	cancel       as finalize. 202
 *	wake         $1 references: the provider has sent an event about these payments
 *	answers      $1 callers, $2 keys, $3 orders, $4 operation, $5 contents (NULL but for
 *	             creates). Gives a row for each: ordinal bigint; fingerprint bytea, status
 *integer and body text of the earlier answer, NULL where there is none; the order's status text
 *(NULL: there is none for this caller); whether it is being ended, or too late, boolean; and
 *whatever `refuse` wants to know, from column ORDER_ANSWER_COLUMNS on expire       $1 most orders:
 *mark those that are over by time forget_keys  $1 most keys: delete those that are a day old
 */
struct order_writer_sql {
	const char *create, *confirm, *finalize, *cancel, *answers, *expire, *forget_keys, *wake;
};

enum { ORDER_ANSWER_COLUMNS = 6 };

/* A request that was not applied, and whose key stands for no earlier answer. */
struct order_refusal {
	const struct order_write *write;
	struct slice status; /* The order's; `data` NULL: there is none. */
	bool is_over;        /* It is being ended, or its time is. */
	bool is_legal;       /* By its status alone, the request would be. Not of CREATE. */
	const struct postgres_result *rows; /* Of `answers`: this row. */
	size_t row;
};

struct order_writer;

struct order_writer_options {
	const char *database_url;
	const char *database_settings; /* Of its session; NULL: none. See postgres.h. */
	int64_t database_ms;           /* For one call to it. */
	struct order_writer_sql sql;
	int64_t confirm_ms;                 /* A new order's time to be confirmed. */
	_Atomic(struct order_feed *) *feed; /* NULL there until there is one. */
	/* Reply to a request that was refused, on the writer's thread; it is completed by the
	 * writer. order_refuse() below does what most refusals need. */
	void (*refuse)(void *context, const struct order_refusal *refusal);
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

/* Reply as the order's status demands: 404 without an order, 410 for one that is over where the
 * request came too late, otherwise 409; both name the status as `orderStatus`. Not for CREATE. */
void order_refuse(const struct order_refusal *refusal);
