/* What every technology of the waiting room must do.
 *
 * A technology hands over a factory and is asked the same questions as all others, through the
 * contract only. A check opens rooms of its own (new event ids), so one service serves them all,
 * and it judges from outside: by what was acknowledged, and by the room's own times. It never
 * asserts that something was quick; where a slow machine leaves a question open, it is asked again
 * with a longer window.
 *
 *	int main(void)
 *	{
 *		struct waiting_room_factory factory = {.name = "memory", .open = …};
 *		return waiting_room_conformance(&factory);
 *	}
 *
 * A check returns what is violated instead of ending the program, so that a wrapper that breaks the
 * contract on purpose (waiting_room_broken.h) can be shown to be seen. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"
#include "tech-waiting-room/waiting_room.h"

struct waiting_room_factory {
	const char *name; /* Of the tests' group. */
	void *context;    /* Handed to each function below. */

	/* Open one more instance on the same rooms; closed by waiting_room_close. Its limits on
	 * time are so generous (30 s) that a busy machine is no failure. Any thread. */
	enum status (*open)(void *context, struct waiting_room **room);
	/* Let `ms` milliseconds pass: sleep, or move the clock that the rooms go by. */
	void (*advance)(void *context, int64_t ms);
	/* Unix time of the clock that the rooms go by, or nearly. NULL: the system's. */
	int64_t (*now_ms)(void *context);

	/* Those that a technology cannot are NULL; a trait that is claimed and cannot be proved is
	 * a violation. Open instances stay open and find their way back by themselves. */
	enum status (*restart)(void *context);   /* kill -9 the service and start it again. */
	enum status (*lose)(void *context);      /* Everything but the durable record is gone. */
	enum status (*redeliver)(void *context); /* What was delivered comes once more. */

	uint64_t seed; /* Of what is drawn. 0: the run's (lib/testkit/random.h). */
};

/* Run all checks as a group of cmocka, and return how many failed: what main returns. */
int waiting_room_conformance(const struct waiting_room_factory *factory);

/* The names of the checks, ended by NULL. */
const char *const *waiting_room_check_names(void);

/* Run one check. NULL: nothing to say (or the technology does not claim to do this). Otherwise what
 * is violated, a text in `message`. */
const char *waiting_room_check(const struct waiting_room_factory *factory, const char *name,
	char *message, size_t message_size);

/* ---- agreement ---- */

struct waiting_room_agreement {
	const struct waiting_room_factory *oracle;
	const struct waiting_room_factory *subject;
	uint64_t seed; /* 0: the run's. */
	int operations;
};

/* Do the same random operations in a room of each, through two instances each, and compare what
 * comes back: outcomes, places, ranks, states, admissions and views. What depends on the time is
 * left out (the windows are a day, the rate is the highest), so the two clocks need not agree. NULL
 * when they agree, otherwise what differs, in `message`. */
const char *waiting_room_agree(
	const struct waiting_room_agreement *agreement, char *message, size_t message_size);

/* Run waiting_room_agree as a group of cmocka: 3 seeds × 1,000 operations, or 20 × 10,000 when the
 * environment has ONSALE_FULL=1. Returns how many seeds failed. */
int waiting_room_agreement(
	const struct waiting_room_factory *oracle, const struct waiting_room_factory *subject);
