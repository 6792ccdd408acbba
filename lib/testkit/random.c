/* See random.h for the sources. */
#include "lib/testkit/random.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed_of_run;

static void seed_choose(void);
static uint64_t splitmix_next(uint64_t *state);
static uint64_t rotate_left(uint64_t word, unsigned int bits);

uint64_t random_seed(void)
{
	pthread_once(&seed_once, seed_choose);
	return seed_of_run;
}

void random_init(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix_next(&seed);
}

void random_init_stream(struct random *random, uint64_t seed, uint64_t number)
{
	/* Mixed twice, so that neighbouring seeds and neighbouring numbers do not share streams, as
	 * plain addition would let them. */
	uint64_t mixed = splitmix_next(&seed) + number;
	random_init(random, splitmix_next(&mixed));
}

uint64_t random_next(struct random *random)
{
	uint64_t *state = random->state;
	uint64_t result = rotate_left(state[1] * 5, 7) * 9;
	uint64_t shifted = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate_left(state[3], 45);
	return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	assert(bound >= 1);
	/* The remainder of 2^64 would favour small numbers, so draws that fall into it are thrown
	 * away. */
	uint64_t remainder = (0 - bound) % bound;
	uint64_t draw = random_next(random);
	while (draw < remainder)
		draw = random_next(random);
	return draw % bound;
}

int64_t random_between(struct random *random, int64_t min, int64_t max)
{
	assert(min <= max);
	uint64_t width = (uint64_t)max - (uint64_t)min;
	uint64_t offset =
		width == UINT64_MAX ? random_next(random) : random_below(random, width + 1);
	return (int64_t)((uint64_t)min + offset);
}

bool random_chance(struct random *random, uint64_t part, uint64_t whole)
{
	return random_below(random, whole) < part;
}

double random_real(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

void random_shuffle(struct random *random, void *things, uint64_t count, uint64_t size)
{
	assert(size <= RANDOM_SHUFFLE_SIZE_MAX);
	unsigned char *bytes = things;
	unsigned char kept[RANDOM_SHUFFLE_SIZE_MAX];
	for (uint64_t left = count; left > 1; left--) {
		unsigned char *chosen = bytes + random_below(random, left) * size;
		unsigned char *last = bytes + (left - 1) * size;
		memcpy(kept, chosen, size);
		memmove(chosen, last, size);
		memcpy(last, kept, size);
	}
}

static void seed_choose(void)
{
	const char *given = getenv("ONSALE_SEED");
	if (given && *given) {
		char *end = NULL;
		errno = 0;
		seed_of_run = strtoull(given, &end, 0);
		if (errno || *end || *given == '-') {
			fprintf(stderr, "ONSALE_SEED=%s is not a number\n", given);
			exit(2);
		}
	} else if (getrandom(&seed_of_run, sizeof seed_of_run, 0) != sizeof seed_of_run) {
		perror("getrandom");
		exit(2);
	}
	fprintf(stderr, "seed: ONSALE_SEED=%llu repeats this run\n",
		(unsigned long long)seed_of_run);
}

/* Sebastiano Vigna's splitmix64 (https://prng.di.unimi.it/splitmix64.c, public domain), the
 * finalizer of Guy Steele's SplitMix. */
static uint64_t splitmix_next(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15;
	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	return mixed ^ (mixed >> 31);
}

static uint64_t rotate_left(uint64_t word, unsigned int bits)
{
	return (word << bits) | (word >> (64 - bits));
}
