/* ticket-verify as a program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/testkit/process.h"
#include "lib/ticketing/ticket_code.h"

enum { PROGRAM_MS_MAX = 120000 }; /* Not an expectation. */

#define EVENT "0193a5c2-7b00-7abc-8def-0123456789ab"
#define TICKET "5f0e2d4c-1b3a-8697-a5b4-c3d2e1f00112"
#define SAID \
	"event      " EVENT "\nticket     " TICKET "\ngeneration 3\n" \
	"issued     2023-11-14T22:13:20.000Z\nkey        k1\n"

static char folder[] = "/tmp/onsale-verify-XXXXXX";
static char keys_path[64], keys_flag[96], program[4096];
static char code_text[TICKET_CODE_TEXT_SIZE], unknown_text[TICKET_CODE_TEXT_SIZE];

static void write_keys(const char *text)
{
	FILE *file = fopen(keys_path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

static void make_code(const char *secrets, bool publish, char text[TICKET_CODE_TEXT_SIZE])
{
	struct ticket_signer *signer;
	struct ticket_code code = {.generation = 3, .issued_at_s = 1700000000};
	assert_true(id_parse(slice_of(EVENT), &code.event));
	assert_true(id_parse(slice_of(TICKET), &code.ticket));
	assert_int_equal(ticket_signer_new(slice_of(secrets), &signer, NULL), STATUS_OK);
	ticket_code_make(signer, &code, text);
	if (publish) {
		json_t *json = ticket_key_set_json(ticket_signer_public(signer));
		char *keys = json_dumps(json, JSON_COMPACT);
		assert_non_null(keys);
		write_keys(keys);
		free(keys);
		json_decref(json);
	}
	ticket_signer_free(signer);
}

static int set_up(void **state)
{
	(void)state;
	const char *build = getenv("ONSALE_BUILD");
	snprintf(program, sizeof program, "%s/lib/ticketing/ticket-verify",
		build ? build : "build/debug");
	snprintf(folder, sizeof folder, "/tmp/onsale-verify-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(keys_path, sizeof keys_path, "%s/keys.json", folder);
	snprintf(keys_flag, sizeof keys_flag, "--keys=%s", keys_path);
	make_code("k1:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", true, code_text);
	make_code("k2:TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=", false, unknown_text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(keys_path);
	return rmdir(folder);
}

static void assert_run(const char *const arguments[], int code, const char *output)
{
	struct process process;
	struct process_options options = {.arguments = arguments, .error_path = "/dev/null"};
	assert_int_equal(process_start(&process, &options), STATUS_OK);
	assert_int_equal(process_wait(&process, PROGRAM_MS_MAX), STATUS_OK);
	char *printed = process_output(&process);
	assert_string_equal(printed, output);
	assert_int_equal(process.exit_code, code);
	free(printed);
	process_release(&process);
}

static void assert_verified(const char *flag, const char *text, int code, const char *output)
{
	assert_run((const char *const[]){program, keys_flag, flag, text, NULL}, code, output);
}

static void a_genuine_code_is_told(void **state)
{
	(void)state;
	assert_verified(code_text, NULL, 0, "genuine\n" SAID);
	assert_verified("--event=" EVENT, code_text, 0, "genuine\n" SAID);
}

static void what_is_not_genuine_is_named(void **state)
{
	(void)state;
	char changed[TICKET_CODE_TEXT_SIZE];
	memcpy(changed, code_text, sizeof changed);
	changed[100] = changed[100] == 'A' ? 'B' : 'A';
	assert_verified("--event=" TICKET, code_text, 1, "other_event\n" SAID);
	assert_verified(changed, NULL, 1, "bad_signature\n");
	assert_verified(unknown_text, NULL, 1, "unknown_key\n");
	changed[sizeof changed - 2] = '\0';
	assert_verified(changed, NULL, 1, "malformed\n");
	assert_verified("", NULL, 1, "malformed\n");
}

/* The shell's printf says what comes by the standard input. */
static void assert_typed(const char *format, int code, const char *output)
{
	assert_run((const char *const[]){"sh", "-c", "printf \"$1\" \"$2\" | \"$3\" \"$4\"", "sh",
			   format, code_text, program, keys_flag, NULL},
		code, output);
}

static void a_scanner_types_a_line(void **state)
{
	(void)state;
	assert_typed("%s\\n", 0, "genuine\n" SAID);
	assert_typed("%s\\r\\n", 0, "genuine\n" SAID);
	assert_typed("%s\\rrest", 0, "genuine\n" SAID);
	assert_typed("%s", 0, "genuine\n" SAID);
	assert_typed(" %s\\n", 1, "malformed\n");
	assert_typed("%s\\000\\n", 1, "malformed\n");
	assert_typed("%s%05000d", 1, "malformed\n");
	assert_typed("\\n%s", 2, "");
	assert_typed("", 2, "");
}

static void what_cannot_be_found_out_is_no_verdict(void **state)
{
	(void)state;
	assert_run((const char *const[]){program, code_text, NULL}, 2, "");
	assert_run((const char *const[]){program, "--keys=/nowhere", code_text, NULL}, 2, "");
	assert_run((const char *const[]){program, "--keys=/", code_text, NULL}, 2, "");
	assert_verified(code_text, code_text, 2, "");
	assert_verified("--event=final", code_text, 2, "");
	write_keys("{\"keys\":[]}");
	assert_verified(code_text, NULL, 2, "");
	/* Valid, but for its size. */
	char *large = calloc(1, TICKET_KEY_SET_SIZE_MAX + 200);
	assert_non_null(large);
	snprintf(large, 200,
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k1\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
	write_keys(large);
	assert_verified(code_text, NULL, 0, "genuine\n" SAID);
	memset(large + strlen(large), ' ', TICKET_KEY_SET_SIZE_MAX);
	write_keys(large);
	assert_verified(code_text, NULL, 2, "");
	free(large);
}

static void it_explains_itself(void **state)
{
	(void)state;
	assert_run((const char *const[]){program, "--version", NULL}, 0, "ticket-verify 1.0\n");
	assert_run((const char *const[]){"sh", "-c", "\"$1\" --help | grep -c -e --keys -e CODE",
			   "sh", program, NULL},
		0, "3\n");
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_genuine_code_is_told),
		TEST(what_is_not_genuine_is_named),
		TEST(a_scanner_types_a_line),
		TEST(what_cannot_be_found_out_is_no_verdict),
		TEST(it_explains_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
