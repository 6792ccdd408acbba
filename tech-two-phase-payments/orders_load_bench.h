/* The load of the orders' bench: buyers who keep so many orders under way at once, each from intent
 * to paid. What cannot be done ends the bench. */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

struct orders_load {
	uint16_t port;     /* The order server's. */
	const char *url;   /* Its database. */
	int64_t under_way; /* Orders at once, at the most. */
	int64_t seconds;   /* How long new ones are made. */
	int64_t slow_ms;   /* Orders that took so long have met a slow answer. */
	/* Called now and then while the load runs. */
	void (*meanwhile)(void *context);
	void *context;
};

struct orders_outcome {
	double rate;           /* Orders that became paid per second. */
	double p50_ms, p99_ms; /* From intent to paid, of those that met no slow answer. */
	double slow_percent;
	int64_t paid;     /* In all. */
	int64_t failures; /* Requests that were answered otherwise than they should. */
	double under_way; /* On average, as the database had it. */
};

/* Load the server, and wait until every order is paid. The first quarter of the time warms up and
 * does not count. */
void orders_load_run(
	const struct orders_load *load, PGconn *database, struct orders_outcome *outcome);
