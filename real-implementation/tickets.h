/* Tickets over HTTP: shown by whoever they belong to, scanned at the door.
 *
 *	GET  /tickets/{ticketId}           the ticket, with the code that its QR shows
 *	GET  /tickets/{ticketId}.svg       the QR
 *	POST /tickets/scan                 {code, gate?, eventId?}; the admin's
 *	GET  /.well-known/ticket-keys      what scanners check codes with by themselves
 *
 * A ticket's id is "<event>.<ticket>". It is
 *
 *	{ticketId, eventId, event {name, startsAt, venue, city}, orderId, seatId, section, row,
 *	number, category?, price, currency, status, code?, scannedAt?}
 *
 * with a status of "valid" or "void"; a void one has no code any more. `category` is there when
 * the price tells it. Only the person whose order it is sees a ticket, and only once the order is
 * paid: until then the sale may still be undone. For all others it is not there (404).
 *
 * A scan that lets in is 200 {result: "admitted", ticketId, eventId, section, row, number,
 * scannedAt}, once. What else may come of it, in the order in which it is found:
 *
 *	422 ticket-code       not a code of ours, as `verdict` says (ticket_code.h)
 *	409 other-event       a ticket for another event than the scanner's
 *	404 not-found         genuine, and not known here
 *	410 ticket-void       refunded, or about to be, or reissued with another code
 *	409 already-scanned   `firstScannedAt` and `gate` say when and where
 *
 * That a ticket lets in once is said by the primary key of its scan, so it holds for any number of
 * scanners and servers. Who has not heard the answer repeats the request with the same
 * Idempotency-Key, which is optional, and is told what the first one was told; without a key, a
 * repetition is a second scan.
 *
 * DESIGN. A scan takes a share lock of the order first: a cancellation that has begun is seen, and
 * one that begins later waits and then sees the scan (schema/040_orders.sql). */
#pragma once

#include "lib/http/exchange.h"
#include "lib/postgres/postgres.h"
#include "lib/ticketing/ticket_keys.h"

enum {
	TICKET_GATE_SIZE_MAX = 64,   /* Bytes of a gate's name. */
	TICKET_GENERATION_FIRST = 1, /* Of all codes, as long as no ticket can be reissued. */
	TICKET_KEYS_AGE_S = 300,     /* For how long the published keys may be kept. */
};

struct tickets;

/* All of it is borrowed. */
struct tickets_options {
	struct postgres *const *connections; /* One per worker: http_worker(). */
	const struct ticket_signer *signer;

	/* Who asks: see sessions_person. */
	bool (*person)(void *context, struct http_exchange *exchange, struct slice *person);
	void *person_context;

	/* Whether the admin asks: see admin_asks. */
	bool (*admin)(void *context, struct http_exchange *exchange);
	void *admin_context;
};

/* NULL when memory is short. Nothing is asked of the database. */
__attribute__((warn_unused_result)) struct tickets *tickets_new(
	const struct tickets_options *options);

/* NULL is allowed. After the server has closed. */
void tickets_free(struct tickets *tickets);

/* The routes; their context is a struct tickets. */
extern const struct http_route ticket_route_table[];
extern const size_t ticket_route_count;
