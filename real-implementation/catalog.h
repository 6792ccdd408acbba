/* The catalog: venues and events are written here, by the API and by imports.
 *
 * DESIGN. What is written has an id that its writer knows beforehand, and keeps the hash of the
 * request that it was made from. So each call may be repeated, by anybody, also after a crash in
 * its middle or beside another one: who comes with the same id and the same hash finds what is
 * there and completes what is not, and who comes with the same id and another hash is told so. The
 * record of an Idempotency-Key commits together with what makes the effect visible.
 *
 * The seats of a new event are stocked in the seat store, which is another store: in chunks, while
 * the event is a draft that nobody can see. A draft that was never completed (its writer died and
 * never came back) stays one, and does no harm. */
#pragma once

#include "lib/postgres/postgres.h"
#include "real-implementation/catalog_document.h"
#include "tech-locking-and-transactions/seat_store.h"

enum { CATALOG_DIGEST_SIZE = 32 };

/* What the writers need. All of it is borrowed. */
struct catalog {
	struct postgres *pg;

	/* Make a seat store for stocking one event; it is closed right after. */
	enum status (*open_seats)(void *context, struct seat_store **store, struct fault *fault);
	void *seats_context;

	/* Called after each chunk of seats; may be NULL. */
	void (*progress)(void *context, size_t done, size_t total);
	void *progress_context;
};

/* An Idempotency-Key, and what its record is to be. The caller is "admin". */
struct catalog_key {
	struct slice operation, key, fingerprint; /* The fingerprint is in hexadecimal. */
	int32_t status;                           /* Of the reply. */
};

struct catalog_request {
	struct id id;                        /* Of what is made. */
	uint8_t digest[CATALOG_DIGEST_SIZE]; /* Of what it is made from. */
	const struct catalog_key *key;       /* NULL: none. */
};

/* The id that belongs to a key or a document: the UUIDv8 of the SHA-256 of `kind`, a zero byte and
 * `content`. */
struct id catalog_id_of(const char *kind, struct slice content);

/* SHA-256. */
void catalog_digest(struct slice content, uint8_t digest[CATALOG_DIGEST_SIZE]);

enum catalog_outcome {
	CATALOG_MADE,     /* By this very call, or the change was made. */
	CATALOG_KNOWN,    /* It was there already, made from the same. */
	CATALOG_OTHER,    /* The id is taken by what was made from something else. */
	CATALOG_WRONG,    /* The document does not fit what is there: `fault` says where and why. */
	CATALOG_CONFLICT, /* It cannot be changed like that (any more): likewise. */
	CATALOG_MISSING,  /* There is no such event. */
};

/* What has come out of a call that returned STATUS_OK. */
struct catalog_answer {
	enum catalog_outcome outcome;
	struct slice json;  /* MADE and KNOWN: the thing as it is now; in the arena. */
	struct fault fault; /* WRONG and CONFLICT. */
};

/* Add a venue: {venueId, name, city, country?, seats, sections, categories: [name]}. `document` is
 * the JSON from which `venue` was read. Not in a transaction; in the statuses of postgres.h. */
__attribute__((warn_unused_result)) enum status catalog_add_venue(struct catalog *catalog,
	const struct catalog_request *request, const struct venue_document *venue,
	struct slice document, struct arena *arena, struct catalog_answer *answer);

/* Add an event and stock its seats; the reply is that of GET /events/{eventId} and `waitingRoom`.
 * Takes memory for the venue's plan while it runs. When the status is not OK, `answer->fault` says
 * what happened where the seat store knows it; then the draft stays for the next attempt. */
__attribute__((warn_unused_result)) enum status catalog_add_event(struct catalog *catalog,
	const struct catalog_request *request, const struct event_document *event,
	struct arena *arena, struct catalog_answer *answer);

/* Change an event: `request->id`. What the document does not give stays; venue, currency and prices
 * may be given but must be what they are. `request->digest` is not looked at. */
__attribute__((warn_unused_result)) enum status catalog_change_event(struct catalog *catalog,
	const struct catalog_request *request, const struct event_document *event,
	struct arena *arena, struct catalog_answer *answer);
