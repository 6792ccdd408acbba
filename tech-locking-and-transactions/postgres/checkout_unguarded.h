/* The negative controls of the checkout in one database: a guard is cut out of the statement that
 * sells. Part of a test's build only. */
#pragma once

enum checkout_guard {
	CHECKOUT_GUARD_NONE,
	CHECKOUT_GUARD_FENCE, /* Whether the hold still is what was bought. */
	CHECKOUT_GUARD_CLOCK, /* The moment is taken after the locks. */
};

/* For engines that are opened from now on. */
void checkout_guard_off(enum checkout_guard guard);

/* The statement without the guard; the text lives as long as the program. */
const char *checkout_weaken(const char *sql);
