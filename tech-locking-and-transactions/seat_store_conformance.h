/* What every technology of the seat store must do.
 *
 * A technology hands over a factory and is asked the same questions as all others, through the
 * contract only. A check uses events of its own, so one service serves them all, and it judges by
 * what was answered, by what is read back, and by the technology's own judge where it has one. It
 * never asserts that something was quick; where a slow machine leaves a question open, it is asked
 * again with a longer hold.
 *
 *	int main(void)
 *	{
 *		struct seat_store_factory factory = {.name = "memory", .open = …};
 *		return seat_store_conformance(&factory);
 *	}
 *
 * A check returns what is violated instead of ending the program, so that a store that breaks the
 * contract on purpose can be shown to be seen. */
#pragma once

#include "tech-locking-and-transactions/seat_store.h"

struct seat_store_factory {
	const char *name; /* Of the tests' group. */
	void *context;    /* Handed to each function below. */

	/* Open one more instance on the same seats; closed by seat_store_close. Its limits on time
	 * are so generous (30 s) that a busy machine is no failure. Any thread. */
	enum status (*open)(void *context, struct seat_store **store);
	/* Let `ms` milliseconds pass: sleep, or move the clock that the holds go by. */
	void (*advance)(void *context, int64_t ms);
	/* Unix time of the clock that the holds go by, or nearly. NULL: the system's. */
	int64_t (*now_ms)(void *context);

	/* Those that a technology cannot are NULL; a trait that is claimed and cannot be proved is
	 * a violation. Open instances stay open and find their way back by themselves. */

	/* kill -9 the service and start it again. */
	enum status (*restart)(void *context);
	/* Open an instance whose answers can be lost, and lose the answer to the effect of its next
	 * hold or sale. A call of the same kind was made before. */
	enum status (*open_faulty)(void *context, struct seat_store **store);
	void (*lose_answer)(void *context);
	/* Keep everybody from changing this hold and its seats until `unblock`; tell whether
	 * anybody waits for it. */
	enum status (*block)(void *context, struct id event, struct id hold);
	bool (*somebody_waits)(void *context);
	void (*unblock)(void *context);
	/* Look at what is stored of an event, behind the contract's back: one state per seat, live
	 * holds and their seats, sales and their tickets. NULL, or what is wrong, in `message`. */
	const char *(*judge)(void *context, struct id event, char *message, size_t message_size);

	uint64_t seed; /* Of what is drawn. 0: the run's (lib/testkit/random.h). */
};

/* Run all checks as a group of cmocka, and return how many failed: what main returns. */
int seat_store_conformance(const struct seat_store_factory *factory);

/* The names of the checks, ended by NULL. */
const char *const *seat_store_check_names(void);

/* Run one check. NULL: nothing to say (or the technology does not claim to do this). Otherwise what
 * is violated, a text in `message`. */
const char *seat_store_check(const struct seat_store_factory *factory, const char *name,
	char *message, size_t message_size);

/* ---- agreement ---- */

struct seat_store_agreement {
	const struct seat_store_factory *oracle;
	const struct seat_store_factory *subject;
	uint64_t seed; /* 0: the run's. */
	int operations;
};

/* Do the same random operations in an event of each, in batches of random sizes through two
 * instances each, and compare everything that comes back but the times: outcomes, versions, totals,
 * which seats, records, availability. NULL when they agree, otherwise what differs, in `message`.
 */
const char *seat_store_agree(
	const struct seat_store_agreement *agreement, char *message, size_t message_size);

/* Run seat_store_agree as a group of cmocka: 2 seeds × 2,500 operations, or 20 × 10,000 when the
 * environment has ONSALE_FULL=1. Returns how many seeds failed. */
int seat_store_agreement(
	const struct seat_store_factory *oracle, const struct seat_store_factory *subject);
