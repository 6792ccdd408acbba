/* The product with its private services and its provider, as benches start it. What cannot be done
 * ends the bench. */
#pragma once

#include "bench/servers.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/redis_fixture.h"

/* What signs places, passes, sessions and tickets. */
#define PRODUCT_BENCH_KEY "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* The organiser's header. */
#define PRODUCT_BENCH_ADMIN "Authorization: Bearer bench\r\n"

struct product {
	char folder[SCRATCH_PATH_SIZE];
	struct postgres_fixture postgres;
	struct redis_fixture redis;
	struct process simulator, onsale;
	uint16_t port, simulator_port;
};

/* Start the services and the provider, and make the tables. No client address is limited. */
void product_open(struct product *product, const char *name);
void product_close(struct product *product);

/* `onsale serve`, with access log and metrics on, as it runs; returns when it is ready. */
void product_start(struct product *product);
void product_stop(struct product *product);

/* `onsale import venue FILE`, or event. */
void product_import(const char *kind, const char *path);

struct product_call {
	const char *method, *path;
	const char *headers, *body; /* May be NULL. */
};

/* Ask the server on this port, whichever it is. The reply must be 200 or 201; the caller releases
 * it. */
void product_call(uint16_t port, const struct product_call *call, struct http_client_reply *reply);
void product_get(uint16_t port, const char *path, struct http_client_reply *reply);
