/* Simulated fans: people who want seats, for demonstrations, crash tests and benches.
 *
 * Each fan is a thread that does over HTTP what a person does with the page: it gets a session,
 * waits for the sale to begin, stands in the queue where there is one, holds seats, thinks, pays or
 * changes its mind, and waits for its tickets. A thread each, since they mostly sleep, and the code
 * then reads as the story does.
 *
 * What the server has acknowledged is written down (the journal), a line for each fact, when the
 * answer has come and before anything else is asked; so whoever reads it after a crash, ours or the
 * server's, knows what must be there. A request without an answer is repeated with the same
 * Idempotency-Key; when that ends without one although it was sent, it is written down as
 * `unknown`. */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/id.h"
#include "lib/testkit/histogram.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/random.h"

enum {
	FANS_MAX = 1000,
	FANS_NAMES_MAX = 512, /* Of sections and of categories. */
	FANS_PATH_SIZE = 1200,
	FANS_TOKEN_SIZE = 1024,
	FANS_ITEM_SIZE = 80,
};

/* Steps whose time is measured. Those before FANS_QUEUE are single requests, as answered. */
enum fans_step {
	FANS_SESSION,
	FANS_HOLD,
	FANS_JOIN,
	FANS_POLL,
	FANS_RELEASE,
	FANS_ORDER,
	FANS_CONFIRM,
	FANS_CANCEL,
	FANS_READ,
	FANS_QUEUE, /* From joining the queue to the pass. */
	FANS_PAID,  /* From the confirmation's answer to the tickets. */
	FANS_STEPS,
};

/* What a fan is doing. */
enum fans_state {
	FANS_RESTING,
	FANS_EARLY, /* The sale has not begun. */
	FANS_CHOOSING,
	FANS_QUEUED,
	FANS_HOLDING,
	FANS_PAYING,
	FANS_STATES,
};

/* How a person's story ended. */
enum fans_outcome {
	FANS_BOUGHT,
	FANS_DECLINED,   /* And had no other card. */
	FANS_GAVE_UP,    /* Left the queue, or gave the seats back. */
	FANS_WALKED_OFF, /* Left seats or an order behind. */
	FANS_SOLD_OUT,
	FANS_LATE,    /* The hold or the order was over. */
	FANS_CUT_OFF, /* Our time was over. */
	FANS_FAILED,  /* Something was answered that should not be. */
	FANS_OUTCOMES,
};

/* Requests that brought no answer to work with. */
enum fans_error {
	FANS_UNREACHABLE,
	FANS_BROKEN,  /* The connection ended before the answer, or was too slow. */
	FANS_BUSY,    /* 502, 503, 504, or the same request is under way. */
	FANS_LIMITED, /* 429 */
	FANS_ANSWER,  /* Any other status that does not belong there. */
	FANS_ERRORS,
};

struct fans_facts {
	_Atomic int64_t people, holds, seats_held, releases, orders, confirmations, paid, tickets,
		declined, canceled, unknown;
};

struct fans {
	/* Set before the fans begin. */
	uint16_t port;
	uint64_t seed;
	int64_t think_min_ms, think_max_ms;
	bool once;
	char event[ID_TEXT_SIZE];
	int64_t seats_max;
	char *sections[FANS_NAMES_MAX], *categories[FANS_NAMES_MAX];
	size_t section_count, category_count;
	FILE *journal; /* NULL: none. */

	_Atomic int64_t end_ms;  /* Monotonic: nothing is begun from then on, */
	_Atomic int64_t hard_ms; /* and nothing is waited for from then on. */
	_Atomic bool on_sale;

	_Atomic int64_t states[FANS_STATES], outcomes[FANS_OUTCOMES], errors[FANS_ERRORS];
	struct fans_facts facts;
	pthread_mutex_t lock; /* Of what follows, and of the journal. */
	struct histogram times[FANS_STEPS];
	char first_failure[256]; /* What was answered that should not be. */
};

struct fan {
	struct fans *fans;
	pthread_t thread;
	size_t number;
	struct random random;
	struct http_client client;
	struct http_client_reply reply;
	json_t *json; /* The last answer's body; NULL: it had none. */
	int status;   /* The last answer's; 0: none came. */
	bool sent;    /* Whether the last request has left, in any attempt. */
	enum fans_state state;
	char person[ID_TEXT_SIZE], token[FANS_TOKEN_SIZE];
	char place[FANS_TOKEN_SIZE], pass[FANS_TOKEN_SIZE];
	char hold[FANS_ITEM_SIZE], order[FANS_ITEM_SIZE];
};

/* The thread of a fan: one person after the other, or one. */
void *fan_run(void *fan);

/* ---- Asking (fans_call_bench.c) ---- */

int64_t fans_now_ms(void);

/* Sleep, but not beyond fans->hard_ms. */
void fan_sleep(struct fan *fan, int64_t ms);

/* Ask, and again with the same key as long as there is no answer to work with. `key` NULL: a
 * request that may be repeated without. `body` NULL: none. Returns the status, 0: the time was over
 * first. The answer is in fan->json. */
int fan_ask(struct fan *fan, enum fans_step step, const char *method, const char *path,
	const char *key, const char *body);

/* A text of the answer, "" where there is none. It lives until the next answer. */
const char *fan_text(const struct fan *fan, const char *name);

/* The problem's type, without its prefix. */
const char *fan_problem(const struct fan *fan);

/* A key that no other request has. */
void fan_new_key(struct fan *fan, char key[ID_TEXT_SIZE]);

/* An answer that does not belong there: count it and keep the first. */
void fan_failed(struct fan *fan, const char *where);

/* Write a fact down: its name, when, the person and the event, and what else there is, whose
 * reference is taken. */
void fan_note(struct fan *fan, const char *fact, json_t *more);

void fans_time(struct fans *fans, enum fans_step step, int64_t duration_ns);
