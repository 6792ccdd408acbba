/* Configuration by flags and environment, with checked values and --help.
 *
 * A program declares its settings in one table. A flag wins over the environment, which wins over
 * the default. An unknown flag, a value out of its range and a stray argument are faults that name
 * what is wrong; nothing is guessed.
 *
 *	static struct { int64_t port; const char *url; } settings;
 *	static const struct config_setting table[] = {
 *		{.flag = "port", .environment = "PORT", .kind = CONFIG_INTEGER,
 *		 .value = &settings.port, .fallback = "8080", .min = 0, .max = 65535,
 *		 .help = "TCP port; 0 picks a free one"},
 *		{.flag = "database-url", .environment = "DATABASE_URL", .kind = CONFIG_TEXT,
 *		 .value = &settings.url, .required = true, .help = "PostgreSQL connection string"},
 *	};
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/status.h"

enum config_kind {
	CONFIG_TEXT,     /* const char * */
	CONFIG_INTEGER,  /* int64_t between min and max */
	CONFIG_DURATION, /* int64_t milliseconds between min and max; written 250ms, 30s, 10m, 2h */
	CONFIG_SIZE,     /* int64_t bytes between min and max; written 512, 64KiB, 8MiB, 1GiB */
	CONFIG_CHOICE,   /* int64_t index into `choices` */
	CONFIG_SWITCH,   /* bool; --name turns it on, --no-name off; environment: true or false */
	CONFIG_SECRET,   /* const char *; from the environment, or the file named by --name-file or
			  * NAME_FILE (at most 64 KiB, one newline at the end dropped), never from a
			  * flag, since other users can read a command line */
};

struct config_setting {
	const char *flag;        /* Without the dashes. */
	const char *environment; /* NULL: by flag only. */
	enum config_kind kind;
	void *value;                /* Where it goes, of the type that the kind says. */
	const char *fallback;       /* As it would be written; NULL: none, and text stays NULL. */
	const char *const *choices; /* CONFIG_CHOICE: ends with NULL. */
	int64_t min, max;           /* In units of the kind. */
	bool required;
	const char *help; /* One line. */
};

struct config_program {
	const char *name;    /* As it is called: "onsale serve". */
	const char *summary; /* One sentence. */
	const char *version;
	const struct config_setting *settings;
	size_t setting_count;
	const char
		*arguments; /* What follows the flags, for the help: "FILE…"; NULL: none taken. */
};

enum config_outcome {
	CONFIG_READY, /* Every setting is checked and set. */
	CONFIG_HELP,  /* --help or --version was given and answered on standard output: exit 0. */
	CONFIG_FAULT, /* `fault` says what is wrong: exit 2. */
};

/* Read flags and environment into the settings. Texts point into argv, the environment or memory
 * that lives as long as the program. With `arguments` set in the program, *next becomes the index
 * of the first argument behind the flags; it may be NULL otherwise. */
__attribute__((warn_unused_result)) enum config_outcome config_parse(
	const struct config_program *program, int argc, char **argv, int *next,
	struct fault *fault);

/* Print what --help prints. */
void config_help(const struct config_program *program, FILE *output);
