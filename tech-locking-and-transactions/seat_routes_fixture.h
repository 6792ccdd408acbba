/* A server with the seats' routes on seats in memory, and short ways to ask it. Several may stand
 * side by side and share seats and orders, as processes share a database. Whatever goes wrong fails
 * the running test. */
#pragma once

#include <jansson.h>

#include "lib/http/server_fixture.h"
#include "lib/testkit/text.h"
#include "tech-locking-and-transactions/memory/seat_memory.h"
#include "tech-locking-and-transactions/seat_checkout_fixture.h"
#include "tech-locking-and-transactions/seat_routes.h"

#define SHOP_ADMIN_TOKEN "the-admin-s-token"
#define SHOP_ADMIN "Authorization: Bearer " SHOP_ADMIN_TOKEN "\r\n"

/* The event that is on sale: sections "Left" and "Right", each with rows 1 to 5 of seats 1 to 10,
 * at 1000 and 2500; the seats are "left-1-1" and so on. */
enum { SHOP_SEATS = 100, SHOP_LEFT_PRICE = 1000, SHOP_RIGHT_PRICE = 2500 };

/* Stands before every call to the technology but for the tick's, unless that is said. */
struct shop_gate {
	atomic_bool closed;     /* Calls wait. */
	atomic_int status;      /* Other than OK: calls return it and do nothing; the tick's too. */
	atomic_int lost;        /* So many calls are made, and their answer is UNKNOWN. */
	atomic_int lost_early;  /* So many calls are not made, and their answer is UNKNOWN. */
	atomic_size_t waiting;  /* Calls that stand before it. */
	atomic_size_t holds;    /* How often `hold` was called, */
	atomic_size_t held;     /* for how many requests, */
	atomic_size_t readings; /* and how often `availability`. */
	atomic_bool away;       /* Instances cannot be opened: UNAVAILABLE. */
};

/* What servers share. */
struct shop {
	struct seat_memory *memory;
	struct fake_orders *orders;
	struct seat_listing *listing;
	size_t loop_count; /* Of servers that are opened from now on; 0: 2. */
};

struct shop_server {
	struct shop *shop;
	struct http_server *http;
	struct seat_routes *routes;
	struct http_route *table; /* The routes', and GET /metrics. */
	struct metrics *metrics;
	struct shop_gate gate;
	struct http_client client;
	struct http_client_reply reply;
	json_t *json; /* Of the last reply; NULL when it had none. */
};

void shop_open(struct shop *shop);
void shop_close(struct shop *shop);

/* Open a server. Of the options, the opener, the event, the admin's token and the metrics are
 * filled in. Does not wait until it is ready. */
void shop_server_open(
	struct shop_server *server, struct shop *shop, struct seat_routes_options options);
void shop_server_close(struct shop_server *server);

void shop_wait_ready(const struct shop_server *server, bool ready);

/* Ask, and want this status; 0: any. The JSON of the reply is also kept in server->json. */
json_t *shop_ask(struct shop_server *server, const char *method, const char *path,
	const char *headers, int status, const char *body);

/* Hold these seats, given as the items of a JSON array, and want this status. */
json_t *shop_hold(struct shop_server *server, const char *person, const char *key,
	const char *seats, int status);

/* Hold them and return the hold's id, which stays as a text does. */
const char *shop_held(
	struct shop_server *server, const char *person, const char *key, const char *seats);

/* Buy a hold. `person` may be NULL. */
json_t *shop_buy(struct shop_server *server, const char *hold, const char *person, const char *key,
	const char *method, int status);

/* Members of JSON objects: they must be there. */
const char *text_in(const json_t *json, const char *name);
int64_t number_in(const json_t *json, const char *name);

/* How many seats GET tells, with this query ("?section=Left", or ""). */
size_t shop_count(struct shop_server *server, const char *query);

/* The value of a counter without labels, or of the labels given as in the text. */
int64_t shop_metric(struct shop_server *server, const char *name);

/* The last reply is a problem of this kind. */
void shop_want_problem(const struct shop_server *server, const char *type);
