/* An event that a server has on sale: a seating plan with prices, as the offers of seat_store.h.
 *
 * The event's id is made from all that is on sale: name, currency, and each seat with its labels
 * and price. So servers with the same plan and prices mean the same event without having to agree
 * on an id, putting it on sale again changes nothing, and another price is another event instead of
 * a seat that costs something else than people are told. */
#pragma once

#include "tech-locking-and-transactions/seat_store.h"

struct seat_listing {
	struct id id;
	char id_text[ID_TEXT_SIZE];
	struct slice name, venue_name;
	char currency[CURRENCY_TEXT_SIZE];
	const struct seat_offer *offers; /* In order of the seats' bytes. */
	size_t offer_count;
	const struct slice *sections; /* As the plan has them. */
	size_t section_count;
	struct arena arena; /* All of it. */
};

struct seat_listing_options {
	struct slice plan;    /* JSON: see lib/ticketing/seating_plan.h. */
	const char *name;     /* NULL: the plan's. */
	const char *currency; /* ISO 4217. */
	const char *prices;   /* "Parterre=12500,Box=9800", in minor units; NULL: none. */
	int64_t price;        /* Of categories that `prices` does not name. */
};

/* Make an event; nothing of the options is kept. REFUSED, with a fault: no plan, no currency, a
 * price that is none or is given to a category which the plan does not have. */
__attribute__((warn_unused_result)) enum status seat_listing_new(
	const struct seat_listing_options *options, struct seat_listing **event,
	struct fault *fault);

/* NULL is allowed. */
void seat_listing_free(struct seat_listing *event);

/* The offer of a seat, or NULL. */
const struct seat_offer *seat_listing_find(const struct seat_listing *event, struct slice seat);

/* Put all of it on sale, by as many calls as it takes; repeating does no harm. */
__attribute__((warn_unused_result)) enum status seat_listing_stock(
	const struct seat_listing *event, struct seat_store *store);
