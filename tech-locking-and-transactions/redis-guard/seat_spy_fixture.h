/* A seat store around another that counts who gets through to it, and can be interrupted or made to
 * fail on the way. For tests. */
#pragma once

#include "tech-locking-and-transactions/seat_store.h"

struct seat_spy {
	struct seat_store base;
	struct seat_store *inner;
	int64_t calls, holds; /* Of hold, and the requests in them. */
	/* Called before and after the inner store's hold, where they are not NULL; once. */
	void (*before)(void *context);
	void (*after)(void *context);
	void *context;
	/* What the next hold answers instead: UNKNOWN after asking the inner store, anything else
	 * but OK without. */
	enum status status;
};

/* Wrap `inner`, which is closed with the spy. The spy is the caller's memory. */
struct seat_store *seat_spy_init(struct seat_spy *spy, struct seat_store *inner);
