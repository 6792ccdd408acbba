/* onsale: the product. One program with commands; see `onsale --help`. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/config.h"
#include "lib/base/program.h"
#include "real-implementation/commands.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"serve", command_serve, "Serve the API and the pages."},
	{"migrate", command_migrate, "Bring the database to this program's version."},
	{"import", command_import, "Import a venue or an event from a file."},
	{"audit", command_audit, "Check what must always hold."},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands, FAULT_CODE = 2 };

static void print_help(FILE *output)
{
	fputs("usage: onsale COMMAND [FLAG…]\n\n"
	      "High-demand ticketing: people wait their turn, hold seats, pay, and get tickets.\n"
	      "No seat is ever sold twice.\n\n",
		output);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(output, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nonsale COMMAND --help says what a command takes. --version says which this is.\n",
		output);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";
	if (sodium_init() < 0)
		return 1;
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(name, "--version") == 0) {
		printf("onsale %s\n", ONSALE_VERSION);
		return 0;
	}
	bool wants_help = argc > 1 && strcmp(name, "--help") == 0;
	if (!wants_help && argc > 1)
		fprintf(stderr, "onsale: there is no command '%s'\n\n", name);
	print_help(wants_help ? stdout : stderr);
	return wants_help ? 0 : FAULT_CODE;
}
