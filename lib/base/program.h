/* What the main() of every program begins and ends with.
 *
 *	int main(int argc, char **argv)
 *	{
 *		int code = program_configure(&program, argc, argv, NULL);
 *		if (code != PROGRAM_READY)
 *			return code;
 *		program_hold_signals();
 *		… start threads …
 *		log_info("server.stopping", LOG_INTEGER("signal", program_wait_signal()));
 *		… end them …
 *		return 0;
 *	}
 */
#pragma once

#include "lib/base/config.h"

enum { PROGRAM_READY = -1 }; /* No exit code. */

/* Read the settings, as config_parse does. Returns PROGRAM_READY, or the code to exit with: 0 when
 * --help or --version was answered, 2 when something is wrong, which is then told on standard
 * error. `next` may be NULL where the program takes no arguments. */
__attribute__((warn_unused_result)) int program_configure(
	const struct config_program *program, int argc, char **argv, int *next);

/* Hold SIGINT and SIGTERM back for the two functions below, and ignore SIGPIPE. To be called before
 * there are threads, which inherit it. */
void program_hold_signals(void);

/* Wait for SIGINT or SIGTERM. Returns its number. */
int program_wait_signal(void);

/* Whether one of them has come and was not waited for yet; for a start that takes its time. */
bool program_is_signaled(void);
