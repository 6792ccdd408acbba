/* What every technology's server must do as a program: two of them share the seats, and either they
 * or their service are killed while people fight for seats. Each person repeats a request whose
 * answer is lost, with the same Idempotency-Key and by the other server, until it is answered; an
 * observer who knows only the answers sees that no seat is given twice and nothing that was
 * acknowledged is gone. */
#pragma once

#include <stdbool.h>

#include "lib/base/id.h"

struct seat_servers_technology {
	const char *program; /* Its path below the build's tech-locking-and-transactions/. */
	const char *missing; /* What /readyz names while the service is away. */
	const char *const *environment; /* Of the services; ends with NULL. */
	bool (*kill)(void);             /* kill -9 of the service of the seats. */
	bool (*start_again)(void);
	/* What the service itself says of the event's seats: NULL: all is well. NULL: not asked. */
	const char *(*judge)(struct id event);
	/* What the payment provider has captured so far, in minor units, once nothing is under way
	 * at the provider. NULL: nothing can be bought. */
	int64_t (*captured)(void);
};

/* Run all of it; returns what main returns. */
int seat_servers_conformance(const struct seat_servers_technology *technology);
