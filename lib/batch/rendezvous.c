/* See rendezvous.h. Keys stand in buckets by their last bytes, which are random in our ids. */
#include "lib/batch/rendezvous.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUCKETS = 1024, NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

struct rendezvous {
	pthread_mutex_t mutex;
	struct rendezvous_key *buckets[BUCKETS];
};

enum status rendezvous_open(struct rendezvous **result)
{
	struct rendezvous *rendezvous = calloc(1, sizeof *rendezvous);
	if (!rendezvous)
		return STATUS_UNAVAILABLE;
	pthread_mutex_init(&rendezvous->mutex, NULL);
	*result = rendezvous;
	return STATUS_OK;
}

void rendezvous_close(struct rendezvous *rendezvous)
{
	if (!rendezvous)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		assert(!rendezvous->buckets[i]);
	pthread_mutex_destroy(&rendezvous->mutex);
	free(rendezvous);
}

static struct rendezvous_key **bucket_of(struct rendezvous *rendezvous, struct id id)
{
	size_t low = id.bytes[sizeof id.bytes - 1], high = id.bytes[sizeof id.bytes - 2];
	return &rendezvous->buckets[(high << 8 | low) % BUCKETS];
}

/* Who waits has a condition of its own, on the monotonic clock, for as long as it waits. */
struct waiting {
	pthread_cond_t cond;
};

void rendezvous_join(struct rendezvous *rendezvous, struct rendezvous_party *party,
	struct rendezvous_key keys[], size_t count)
{
	*party = (struct rendezvous_party){.keys = keys, .count = count, .missing = count};
	pthread_mutex_lock(&rendezvous->mutex);
	for (size_t i = 0; i < count; i++) {
		struct rendezvous_key *key = &keys[i];
		struct rendezvous_key **bucket = bucket_of(rendezvous, key->id);
		key->rung = false;
		key->own.party = party;
		key->own.previous = NULL;
		key->own.next = *bucket;
		if (*bucket)
			(*bucket)->own.previous = key;
		*bucket = key;
	}
	pthread_mutex_unlock(&rendezvous->mutex);
}

static struct timespec end_of(int64_t timeout_ms)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	int64_t ns = end.tv_nsec + timeout_ms % 1000 * NS_PER_MS;
	end.tv_sec += timeout_ms / 1000 + ns / NS_PER_S;
	end.tv_nsec = ns % NS_PER_S;
	return end;
}

size_t rendezvous_wait(
	struct rendezvous *rendezvous, struct rendezvous_party *party, int64_t timeout_ms)
{
	struct waiting waiting;
	pthread_condattr_t monotonic;
	struct timespec end = end_of(timeout_ms > 0 ? timeout_ms : 0);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&waiting.cond, &monotonic);
	pthread_condattr_destroy(&monotonic);

	pthread_mutex_lock(&rendezvous->mutex);
	party->own = &waiting;
	int failed = 0;
	while (party->missing > 0 && failed == 0)
		failed = pthread_cond_timedwait(&waiting.cond, &rendezvous->mutex, &end);
	party->own = NULL;
	size_t missing = party->missing;
	pthread_mutex_unlock(&rendezvous->mutex);
	pthread_cond_destroy(&waiting.cond);
	return missing;
}

void rendezvous_drop(struct rendezvous *rendezvous, struct rendezvous_key *key)
{
	pthread_mutex_lock(&rendezvous->mutex);
	if (!key->rung)
		key->own.party->missing--;
	key->rung = true;
	pthread_mutex_unlock(&rendezvous->mutex);
}

void rendezvous_leave(struct rendezvous *rendezvous, struct rendezvous_party *party)
{
	pthread_mutex_lock(&rendezvous->mutex);
	for (size_t i = 0; i < party->count; i++) {
		struct rendezvous_key *key = &party->keys[i];
		if (key->own.next)
			key->own.next->own.previous = key->own.previous;
		if (key->own.previous)
			key->own.previous->own.next = key->own.next;
		else
			*bucket_of(rendezvous, key->id) = key->own.next;
	}
	pthread_mutex_unlock(&rendezvous->mutex);
	party->count = 0;
}

void rendezvous_ring(struct rendezvous *rendezvous, struct id id)
{
	pthread_mutex_lock(&rendezvous->mutex);
	struct rendezvous_key *key = *bucket_of(rendezvous, id);
	for (; key; key = key->own.next) {
		if (key->rung || memcmp(key->id.bytes, id.bytes, sizeof id.bytes) != 0)
			continue;
		struct rendezvous_party *party = key->own.party;
		struct waiting *waiting = party->own;
		key->rung = true;
		party->missing--;
		if (party->missing == 0 && waiting)
			pthread_cond_signal(&waiting->cond);
	}
	pthread_mutex_unlock(&rendezvous->mutex);
}
