/* Where threads wait for things that other threads bring about, each known by an id.
 *
 *	struct rendezvous_key keys[2] = {{.id = a}, {.id = b}};
 *	struct rendezvous_party party;
 *	rendezvous_join(rendezvous, &party, keys, 2);
 *	… begin what will have its end somewhere else …
 *	rendezvous_wait(rendezvous, &party, 1000);
 *	rendezvous_leave(rendezvous, &party);
 *
 * and elsewhere, for each that has come to its end:
 *
 *	rendezvous_ring(rendezvous, a);
 *
 * Whatever is rung between join and leave counts, also before the wait. A ring is a hint and
 * carries nothing: what has become of the thing is looked up where it is kept. Nobody is woken
 * before all that its party waits for has been rung. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/id.h"
#include "lib/base/status.h"

struct rendezvous;
struct rendezvous_party;

/* In the caller's memory, from join until leave. */
struct rendezvous_key {
	struct id id; /* The same may be there several times, in one party and in others. */
	bool rung;    /* To be read after leave. */
	struct {
		struct rendezvous_party *party;
		struct rendezvous_key *previous, *next;
	} own;
};

struct rendezvous_party {
	struct rendezvous_key *keys;
	size_t count;
	size_t missing; /* Not rung yet. */
	void *own;
};

/* UNAVAILABLE when memory is short. */
__attribute__((warn_unused_result)) enum status rendezvous_open(struct rendezvous **rendezvous);

/* Nobody waits any more. Accepts NULL. */
void rendezvous_close(struct rendezvous *rendezvous);

/* Listen for these, 0 or more, from now on. */
void rendezvous_join(struct rendezvous *rendezvous, struct rendezvous_party *party,
	struct rendezvous_key keys[], size_t count);

/* Wait until all of them have been rung or `timeout_ms` have passed. Returns how many have not. */
size_t rendezvous_wait(
	struct rendezvous *rendezvous, struct rendezvous_party *party, int64_t timeout_ms);

/* Do not wait for this one of the party's any longer: as if it had been rung, for nobody else. Only
 * the party's thread. */
void rendezvous_drop(struct rendezvous *rendezvous, struct rendezvous_key *key);

/* Listen no more. */
void rendezvous_leave(struct rendezvous *rendezvous, struct rendezvous_party *party);

/* Something has come about. Any thread; does not block for longer than others take to join. */
void rendezvous_ring(struct rendezvous *rendezvous, struct id id);
