/* Two servers of a technology as processes, and people who fight for seats; see
 * seat_servers_conformance.h. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lib/testkit/http_client.h"
#include "lib/testkit/process.h"
#include "tech-locking-and-transactions/seat_servers_conformance.h"

enum {
	SEAT_SERVERS = 2,
	SEAT_SERVER_SETTINGS = 32,
	SEAT_BUYERS = 64,
	SEAT_FOUGHT_FOR = 100, /* At most, in one fight. */
	SEAT_ALL = 160,        /* Of them the last are to be sold. */
	SEAT_PRICE = 1500,
	SEAT_ID_TEXT = 80,
	SEAT_PATIENCE_MS = 120000, /* Of a busy machine under a sanitizer. */
};

struct seat_servers {
	const struct seat_servers_technology *technology;
	struct process processes[SEAT_SERVERS];
	uint16_t ports[SEAT_SERVERS];
	char logs[SEAT_SERVERS][64];
	char event[ID_TEXT_SIZE];
	char seats[SEAT_ALL][SEAT_ID_TEXT]; /* Of one section, the first of them. */
};

/* Start both; each keeps its port over restarts. Fails the running test where it cannot, as all
 * functions here do but those that run in buyers. */
void seat_servers_open(
	struct seat_servers *servers, const struct seat_servers_technology *technology);
void seat_servers_start(struct seat_servers *servers, size_t index);

/* The same in two parts, for one that is started before its service. */
void seat_servers_launch(struct seat_servers *servers, size_t index);
void seat_servers_await(struct seat_servers *servers, size_t index);
void seat_servers_kill(struct seat_servers *servers, size_t index);

/* SIGTERM, and an end with code 0. */
void seat_servers_stop(struct seat_servers *servers, size_t index);
void seat_servers_close(struct seat_servers *servers);

/* Wait until /readyz of this server has that status; its body is copied. */
void seat_servers_wait_ready(
	struct seat_servers *servers, size_t index, int status, char *body, size_t size);

/* One request to a server. Returns the status; 0: there was no answer. */
int seat_servers_ask(struct seat_servers *servers, size_t index, const char *method,
	const char *path, const char *headers, const char *body, struct http_client_reply *reply);

/* ---- People ---- */

struct seat_claim {
	char hold[SEAT_ID_TEXT];
	char person[16];
	bool granted;
};

struct seat_fight {
	struct seat_servers *servers;
	const char *name; /* Makes its keys and people other ones than those of other fights. */
	size_t first;     /* Of its seats among servers->seats, */
	size_t count;     /* and how many. */
	pthread_mutex_t mutex;
	struct seat_claim claims[SEAT_FOUGHT_FOR]; /* By seat, as acknowledged. */
	size_t twice, wrong; /* Given twice; answers that must not be, or never came. */
	char first_wrong[256];
	atomic_size_t granted, paid, tickets;
	size_t hold_count; /* Different ones, whose owners buy. */
	pthread_t threads[SEAT_BUYERS];
};

/* Let SEAT_BUYERS people ask for every seat each, in an order of their own. */
void seat_fight_start(struct seat_fight *fight);

/* Wait until so many seats are taken, as acknowledged. */
void seat_fight_wait(struct seat_fight *fight, size_t granted);

/* Wait for everybody. Afterwards every seat is one person's, and each server knows that. */
void seat_fight_end(struct seat_fight *fight);

/* Everybody who has a hold buys it, all at once, until it is paid. */
void seat_fight_buy_start(struct seat_fight *fight);

/* Wait until so many purchases are paid, as acknowledged. */
void seat_fight_buy_wait(struct seat_fight *fight, size_t paid);

/* Wait for everybody. Afterwards each hold is sold, with a ticket for each of its seats, and each
 * server knows that. */
void seat_fight_buy_end(struct seat_fight *fight);
