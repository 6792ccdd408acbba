/* What the engine's files share. */
#pragma once

#include <stdatomic.h>

#include "lib/batch/rendezvous.h"
#include "tech-locking-and-transactions/checkout_orders.h"

struct checkout_orders;

/* A stage of the technique's with the engine around it. */
struct checkout_own_stage {
	struct checkout_orders *orders;
	struct checkout_stage technique;
	const char *name;
	struct stage *stage;
};

struct checkout_orders {
	struct checkout_orders_options options;
	char *database_url; /* A copy, for the instances' connections. */
	struct order_payments *payments;
	struct checkout_own_stage sell, revoke;
	struct rendezvous *rendezvous;
	atomic_int_least64_t waits_end_ms; /* Nobody waits beyond it; monotonic. */
};

/* What is known of one request while its call lasts. */
enum checkout_progress {
	ASKED,   /* Nothing yet. */
	MADE,    /* Its order was made by this call. */
	KNOWN,   /* Its order was there before, and is not over. */
	SETTLED, /* The result is filled in. */
};

struct checkout_columns {
	int32_t ordinals[CHECKOUT_BATCH_MAX];
	struct id events[CHECKOUT_BATCH_MAX], orders[CHECKOUT_BATCH_MAX];
	struct id holds[CHECKOUT_BATCH_MAX];
	struct slice people[CHECKOUT_BATCH_MAX], methods[CHECKOUT_BATCH_MAX];
	struct slice seats[CHECKOUT_BATCH_MAX], currencies[CHECKOUT_BATCH_MAX];
	int64_t versions[CHECKOUT_BATCH_MAX], totals[CHECKOUT_BATCH_MAX];
	int64_t ends[CHECKOUT_BATCH_MAX];
	size_t count;
};

struct checkout_instance {
	struct checkout base;
	struct checkout_orders *orders;
	struct seat_store *seats;
	struct postgres *pg;
	struct arena arena; /* Of one call. */
	struct checkout_columns columns;
	enum checkout_progress progress[CHECKOUT_BATCH_MAX];
	struct hold_record records[CHECKOUT_BATCH_MAX];
	struct rendezvous_key keys[CHECKOUT_BATCH_MAX];
	struct rendezvous_party party;
};

/* A call of buy, look_up or recover. */
struct checkout_call {
	struct checkout_instance *instance;
	const struct buy_request *requests;
	struct buy_result *results;
	size_t count;
	struct arena *arena; /* The caller's. */
	int64_t begun_ms;
	enum { BUYS, LOOKS_UP, RECOVERS } kind;
};

/* The request's result is filled in, and this is its outcome. */
void checkout_settle(struct checkout_call *call, size_t index, enum buy_outcome outcome);
size_t checkout_count_in(const struct checkout_call *call, enum checkout_progress progress);

/* Run a statement, again when it met another. */
enum status checkout_execute(struct checkout_instance *instance,
	const struct postgres_statement *statement, const struct postgres_parameter parameters[],
	size_t count, struct postgres_result *rows);

/* Make orders for the holds that can be bought. Those that are known already stay as they are
 * (checkout_make.c). */
enum status checkout_make_orders(struct checkout_call *call);

/* Whoever has no order after that, and after reading, will get none: settle them. */
void checkout_refuse_the_unmade(struct checkout_call *call);

/* Read those that are not settled (checkout_read.c). When it is not OK the results are as they
 * were.
 */
enum status checkout_read_orders(struct checkout_call *call);

/* The operations of an instance (checkout_buy.c). */
extern const struct checkout_ops checkout_orders_ops;

/* The key's order. False: it is none. */
bool checkout_parse_key(struct slice key, struct id *event, struct id *order);
