/* ticket-verify --keys FILE [--event ID] [CODE]
 *
 * Checks a ticket's code as a scanner at the door does: offline, with the published keys alone
 * (GET /.well-known/ticket-keys, kept in a file), and prints what it says. Without CODE, it is the
 * first line of the standard input, as most hand-held scanners type it; there others cannot see it
 * in the list of processes. Whether the ticket was reissued, canceled or used is not in its code.
 * Exit code 0: it is genuine, and for this event; 1: it is not; 2: it could not be found out. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/program.h"
#include "lib/ticketing/ticket_code.h"

enum {
	GENUINE = 0,
	NOT_GENUINE = 1,
	NOT_FOUND_OUT = 2,
	LINE_SIZE_MAX = 4096, /* More than any code has, so that a longer one is seen to be none. */
};

static struct {
	const char *keys, *event;
} settings;

static const struct config_setting table[] = {
	{.flag = "keys",
		.kind = CONFIG_TEXT,
		.value = &settings.keys,
		.required = true,
		.help = "the file with the published keys, a JWK Set"},
	{.flag = "event",
		.kind = CONFIG_TEXT,
		.value = &settings.event,
		.help = "the event that it has to be for; without it, any"},
};

static const struct config_program program = {
	.name = "ticket-verify",
	.summary =
		"Checks a ticket's code offline, and prints what it says. Without CODE, it is read "
		"from the standard input.",
	.version = "1.0",
	.settings = table,
	.setting_count = sizeof table / sizeof *table,
	.arguments = "[CODE]",
};

static bool read_keys(struct ticket_key_set *set);
static bool read_code(
	int argc, char **argv, int next, char line[LINE_SIZE_MAX], struct slice *code);
static int verify(const struct ticket_key_set *set, struct slice text, const struct id *event);

int main(int argc, char **argv)
{
	char line[LINE_SIZE_MAX];
	struct ticket_key_set set;
	struct slice text;
	struct id event;
	int next, code = program_configure(&program, argc, argv, &next);
	if (code != PROGRAM_READY)
		return code;
	if (settings.event && !id_parse(slice_of(settings.event), &event)) {
		(void)fprintf(stderr, "ticket-verify: --event: is no UUID\n");
		return NOT_FOUND_OUT;
	}
	if (!read_keys(&set) || !read_code(argc, argv, next, line, &text))
		return NOT_FOUND_OUT;
	code = verify(&set, text, settings.event ? &event : NULL);
	/* A verdict that nobody got is none. */
	return fflush(stdout) == 0 ? code : NOT_FOUND_OUT;
}

static bool read_keys(struct ticket_key_set *set)
{
	/* One more than allowed, so that a larger file is refused. */
	static char json[TICKET_KEY_SET_SIZE_MAX + 1];
	FILE *file = fopen(settings.keys, "rb");
	size_t size = file ? fread(json, 1, sizeof json, file) : 0;
	bool failed = !file || ferror(file);
	if (failed)
		(void)fprintf(stderr, "ticket-verify: %s: %s\n", settings.keys, strerror(errno));
	if (file)
		(void)fclose(file);
	if (failed)
		return false;
	struct fault fault;
	if (ticket_key_set_read((struct slice){.data = json, .size = size}, set, &fault) ==
		STATUS_OK)
		return true;
	(void)fprintf(
		stderr, "ticket-verify: %s: %s: %s\n", settings.keys, fault.where, fault.what);
	return false;
}

static bool read_code(int argc, char **argv, int next, char line[LINE_SIZE_MAX], struct slice *code)
{
	if (argc - next > 1) {
		(void)fprintf(stderr, "ticket-verify: takes one code\n");
		return false;
	}
	if (next < argc) {
		*code = slice_of(argv[next]);
		return true;
	}
	/* Scanners end the line by a carriage return, a newline or both. */
	size_t size = 0;
	for (int c; size < LINE_SIZE_MAX && (c = getchar()) != EOF && c != '\r' && c != '\n';)
		line[size++] = (char)c;
	if (size == 0) {
		(void)fprintf(stderr, "ticket-verify: there is no code on the standard input\n");
		return false;
	}
	*code = (struct slice){.data = line, .size = size};
	return true;
}

static int verify(const struct ticket_key_set *set, struct slice text, const struct id *event)
{
	struct ticket_code code;
	const struct ticket_key *key;
	enum ticket_code_verdict verdict = ticket_code_read(set, text, &code, &key);
	if (verdict != TICKET_CODE_GENUINE) {
		printf("%s\n", ticket_code_verdict_name(verdict));
		return NOT_GENUINE;
	}
	bool other = event && memcmp(event, &code.event, sizeof code.event) != 0;
	char event_text[ID_TEXT_SIZE], ticket_text[ID_TEXT_SIZE], issued[TIME_TEXT_SIZE];
	id_format(code.event, event_text);
	id_format(code.ticket, ticket_text);
	time_format(code.issued_at_s * 1000, issued);
	printf("%s\n", other ? "other_event" : ticket_code_verdict_name(verdict));
	printf("event      %s\nticket     %s\n", event_text, ticket_text);
	printf("generation %" PRId64 "\nissued     %s\n", code.generation, issued);
	printf("key        %.*s\n", SLICE_PRINT(ticket_key_kid(key)));
	return other ? NOT_GENUINE : GENUINE;
}
