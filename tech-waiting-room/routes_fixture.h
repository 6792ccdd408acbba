/* A server with the waiting room's routes on rooms in memory, and short ways to ask it. Several may
 * stand side by side and share a store, as processes share a service. Whatever goes wrong fails the
 * running test. */
#pragma once

#include "lib/http/stream_fixture.h"
#include "lib/testkit/text.h"
#include "tech-waiting-room/memory/memory.h"
#include "tech-waiting-room/waiting_room_routes.h"

#define ADMIN_TOKEN "the-admin-s-token"
#define ADMIN "Authorization: Bearer " ADMIN_TOKEN "\r\n"

/* Two keys; the newest signs. */
#define KEYS \
	"k2:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=," \
	"k1:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="

/* Stands before every call to the technology. */
struct gate {
	atomic_bool closed;       /* Calls wait. */
	atomic_int status;        /* Other than OK: calls return it and do nothing. */
	atomic_size_t waiting;    /* Calls that stand before it. */
	atomic_size_t heartbeats; /* Calls of this kind that have come back. */
};

struct room_server {
	struct http_server *server;
	struct waiting_room_routes *routes;
	struct http_route *routes_and_more; /* The table, and GET /metrics. */
	struct keyring *keyring;
	struct metrics *metrics;
	struct memory_store *store;
	struct gate gate;
	struct http_client client;
	struct http_client_reply reply;
	json_t *json; /* Of the last reply; NULL when it had none. */
};

/* Open a server on this store. Of `options` the opener, the keyring (unless given), the admin's
 * token and the metrics are filled in, and joins are as good as unlimited where nothing is said. */
void room_server_open(struct room_server *server, struct memory_store *store,
	struct waiting_room_routes_options options);
void room_server_close(struct room_server *server);

/* Wait until the technology has answered each lane, or has not. */
void room_wait_ready(const struct room_server *server, bool ready);

/* A store whose rooms go by the system's clock. */
struct memory_store *room_store_new(int64_t record_block);

/* Let the rooms' time stand still until the next store is made, so that no window runs out while
 * the machine does something else; and let it pass in steps. */
void room_clock_hold(void);
void room_clock_advance(int64_t ms);

/* Ask, and want this status; the JSON of the reply is also kept in server->json. `body` is a
 * format.
 */
__attribute__((format(printf, 6, 7))) json_t *room_ask(struct room_server *server,
	const char *method, const char *path, const char *headers, int status, const char *body,
	...);

/* Ask until the member of the reply has this value. */
void room_wait_text(
	struct room_server *server, const char *path, const char *name, const char *value);
void room_wait_number(
	struct room_server *server, const char *path, const char *name, int64_t value);

/* PUT the room of this event with these members besides. */
void room_put(struct room_server *server, const char *event, const char *members);

/* Join and return the placeToken, which the caller frees. */
char *room_join(struct room_server *server, const char *event, const char *person);

/* "/waiting-room/{token}{rest}", as text.h keeps it. */
const char *place_path(const char *token, const char *rest);

/* Members of the last reply, which must be there. */
const char *text_in(const json_t *json, const char *name);
int64_t number_in(const json_t *json, const char *name);

/* The last reply is a problem of this kind. */
void want_problem_in(const struct room_server *server, const char *type);
