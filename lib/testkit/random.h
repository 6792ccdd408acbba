/* Random numbers that can be repeated: a test prints its seed, and the seed gives the same run.
 *
 * xoshiro256** of David Blackman and Sebastiano Vigna ("Scrambled linear pseudorandom number
 * generators", ACM TOMS 47, 2021; https://prng.di.unimi.it/), its state filled by splitmix64 as its
 * authors advise. For tests and load only: it is fast and well mixed, and anybody can predict it.
 *
 *	struct random random;
 *	random_init(&random, random_seed());
 *	size_t seat = random_below(&random, seat_count);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state[4];
};

/* The seed of this run: the environment's ONSALE_SEED (decimal, or hexadecimal with 0x), else one
 * drawn from the kernel. The first call prints it on standard error, so that a failure can be
 * repeated; every later call returns the same. Ends the program when ONSALE_SEED is no number,
 * since a run with another seed than the one asked for would prove nothing. */
uint64_t random_seed(void);

/* Start the sequence that belongs to `seed`. Any seed is a good one, zero included. */
void random_init(struct random *random, uint64_t seed);

/* Start a sequence of its own for the thread or the round with this number, which has nothing to do
 * with those of other numbers but depends on the same seed. */
void random_init_stream(struct random *random, uint64_t seed, uint64_t number);

/* The next 64 bits. */
uint64_t random_next(struct random *random);

/* A number from 0 to `bound` - 1, each as likely as the other. `bound` is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

/* A number from `min` to `max`, both included. */
int64_t random_between(struct random *random, int64_t min, int64_t max);

/* True with a chance of `part` in `whole`: random_chance(&random, 1, 10) one time in ten. */
bool random_chance(struct random *random, uint64_t part, uint64_t whole);

/* A real number from 0, included, to 1, excluded. */
double random_real(struct random *random);

/* Put `count` things of `size` bytes into random order (Fisher and Yates, as Durstenfeld wrote it
 * down in CACM 7, 1964). `size` is at most RANDOM_SHUFFLE_SIZE_MAX. */
void random_shuffle(struct random *random, void *things, uint64_t count, uint64_t size);

enum { RANDOM_SHUFFLE_SIZE_MAX = 256 };
