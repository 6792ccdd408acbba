/* Configuration: where values come from, what is refused, how the fault names it. */
#include "lib/base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	const char *url;
	int64_t port, hold_ms, body_size, form;
	bool verbose;
	const char *token;
} settings;

static const char *const forms[] = {"json", "plain", NULL};

static const struct config_setting table[] = {
	{.flag = "port",
		.environment = "T_PORT",
		.kind = CONFIG_INTEGER,
		.value = &settings.port,
		.fallback = "8080",
		.min = 0,
		.max = 65535,
		.help = "TCP port; 0 picks a free one"},
	{.flag = "database-url",
		.environment = "T_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "hold",
		.environment = "T_HOLD",
		.kind = CONFIG_DURATION,
		.value = &settings.hold_ms,
		.fallback = "10m",
		.min = 1,
		.max = 86400000,
		.help = "how long a hold lasts"},
	{.flag = "body-max",
		.environment = "T_BODY",
		.kind = CONFIG_SIZE,
		.value = &settings.body_size,
		.fallback = "1MiB",
		.min = 512,
		.max = INT64_C(8) << 30,
		.help = "largest body that is read"},
	{.flag = "log",
		.environment = "T_LOG",
		.kind = CONFIG_CHOICE,
		.value = &settings.form,
		.fallback = "plain",
		.choices = forms,
		.help = "form of the log"},
	{.flag = "verbose",
		.environment = "T_VERBOSE",
		.kind = CONFIG_SWITCH,
		.value = &settings.verbose,
		.fallback = "false",
		.help = "log more"},
	{.flag = "token",
		.environment = "T_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.token,
		.help = "what administrators show"},
};

static struct config_program program = {
	.name = "onsale test",
	.summary = "Tests how programs are configured.",
	.version = "1.2.3",
	.settings = table,
	.setting_count = sizeof table / sizeof table[0],
};

static struct fault fault;
static int next;

static int set_up(void **state)
{
	(void)state;
	static const char *const variables[] = {"T_PORT", "T_URL", "T_HOLD", "T_BODY", "T_LOG",
		"T_VERBOSE", "T_TOKEN", "T_TOKEN_FILE"};
	for (size_t index = 0; index < sizeof variables / sizeof variables[0]; index++)
		unsetenv(variables[index]);
	setenv("T_URL", "postgres:///", 1);
	memset(&settings, 0, sizeof settings);
	memset(&fault, 0, sizeof fault);
	program.arguments = NULL;
	next = -1;
	return 0;
}

/* Parse a NULL-terminated list of arguments. */
static enum config_outcome parse(const char *const arguments[])
{
	char *argv[17] = {(char *)"test"};
	int argc = 1;
	while (arguments[argc - 1]) {
		argv[argc] = (char *)arguments[argc - 1];
		argc++;
	}
	return config_parse(&program, argc, argv, &next, &fault);
}

#define PARSE(...) parse((const char *const[15]){__VA_ARGS__}) /* NULL behind them. */

#define ASSERT_READY(...) \
	do { \
		if (PARSE(__VA_ARGS__) != CONFIG_READY) \
			fail_msg("%s %s", fault.where, fault.what); \
	} while (0)

#define ASSERT_FAULT(where_, what_, ...) \
	do { \
		memset(&fault, 0, sizeof fault); \
		assert_int_equal(PARSE(__VA_ARGS__), CONFIG_FAULT); \
		assert_string_equal(fault.where, where_); \
		if (!strstr(fault.what, what_)) \
			fail_msg("\"%s\" lacks \"%s\"", fault.what, what_); \
	} while (0)

static void defaults_hold(void **state)
{
	(void)state;
	ASSERT_READY();
	assert_int_equal(settings.port, 8080);
	assert_string_equal(settings.url, "postgres:///");
	assert_int_equal(settings.hold_ms, 600000);
	assert_int_equal(settings.body_size, 1 << 20);
	assert_int_equal(settings.form, 1);
	assert_false(settings.verbose);
	assert_null(settings.token);
	assert_int_equal(next, 1);
}

static void flags_win_over_environment_over_defaults(void **state)
{
	(void)state;
	setenv("T_PORT", "1", 1);
	setenv("T_VERBOSE", "true", 1);
	setenv("T_LOG", "json", 1);
	ASSERT_READY();
	assert_int_equal(settings.port, 1);
	assert_true(settings.verbose);
	assert_int_equal(settings.form, 0);
	ASSERT_READY("--port=2", "--no-verbose", "--log", "plain");
	assert_int_equal(settings.port, 2);
	assert_false(settings.verbose);
	assert_int_equal(settings.form, 1);
	/* What is overridden is not even looked at. */
	setenv("T_PORT", "nonsense", 1);
	ASSERT_READY("--port", "3");
	assert_int_equal(settings.port, 3);
	/* Empty is not set. */
	setenv("T_PORT", "", 1);
	ASSERT_READY();
	assert_int_equal(settings.port, 8080);
}

static void both_forms_of_a_flag(void **state)
{
	(void)state;
	ASSERT_READY("--port=1", "--database-url", "a=b --c", "--hold=2h", "--body-max", "1GiB");
	assert_int_equal(settings.port, 1);
	assert_string_equal(settings.url, "a=b --c");
	assert_int_equal(settings.hold_ms, 7200000);
	assert_int_equal(settings.body_size, 1 << 30);
	ASSERT_READY("--database-url=--x=y", "--port", "4", "--port=5");
	assert_string_equal(settings.url, "--x=y");
	assert_int_equal(settings.port, 5);
}

static void integers_are_checked(void **state)
{
	(void)state;
	ASSERT_READY("--port=0");
	ASSERT_READY("--port=65535");
	ASSERT_FAULT("--port", "must be an integer from 0 to 65535, not \"65536\"", "--port=65536");
	ASSERT_FAULT("--port", "not \"-1\"", "--port", "-1");
	ASSERT_FAULT("--port", "not \"\"", "--port=");
	ASSERT_FAULT("--port", "not \"080\"", "--port=080");
	ASSERT_FAULT("--port", "not \"0x50\"", "--port=0x50");
	ASSERT_FAULT("--port", "not \"80 \"", "--port", "80 ");
	ASSERT_FAULT("--port", "", "--port=99999999999999999999999");
	setenv("T_PORT", "http", 1);
	ASSERT_FAULT("T_PORT", "not \"http\"");
}

static void durations_have_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"1ms", 1}, {"250ms", 250}, {"30s", 30000}, {"10m", 600000}, {"24h", 86400000}};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		ASSERT_READY("--hold", cases[index].text);
		assert_int_equal(settings.hold_ms, cases[index].ms);
	}
	static const char *const wrong[] = {"", "10", "m", "10M", "10min", "1.5s", "-1s", "+1s",
		" 1s", "1 s", "1s ", "01s", "1h30m", "0s", "25h", "9223372036854775807h",
		"2562047788015216h", "99999999999999999999s", "1\xc2\xb5s"};
	for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++)
		ASSERT_FAULT("--hold",
			"must be a duration (250ms, 30s, 10m, 2h) from 1ms to 24h, not \"",
			"--hold", wrong[index]);
}

static void sizes_have_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t size;
	} cases[] = {{"512", 512}, {"64KiB", 65536}, {"8MiB", 8388608}, {"8GiB", INT64_C(8) << 30}};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		ASSERT_READY("--body-max", cases[index].text);
		assert_true(settings.body_size == cases[index].size);
	}
	static const char *const wrong[] = {"", "KiB", "64K", "64KB", "64kib", "64B", "1.5MiB",
		"-512", "0", "511", "9GiB", "8589934592GiB", "17179869184GiB",
		"9223372036854775807KiB", "9223372036854775808", "512 "};
	for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++)
		ASSERT_FAULT("--body-max",
			"must be a size (512, 64KiB, 8MiB, 1GiB) from 512 to 8GiB, not \"",
			"--body-max", wrong[index]);
}

static void choices_and_switches(void **state)
{
	(void)state;
	ASSERT_READY("--log=json", "--verbose");
	assert_int_equal(settings.form, 0);
	assert_true(settings.verbose);
	ASSERT_READY("--verbose", "--no-verbose");
	assert_false(settings.verbose);
	ASSERT_FAULT("--log", "must be one of json, plain, not \"xml\"", "--log=xml");
	ASSERT_FAULT("--log", "not \"\"", "--log=");
	ASSERT_FAULT("--log", "not \"jso\"", "--log=jso");
	ASSERT_FAULT("--verbose", "takes no value", "--verbose=true");
	ASSERT_FAULT("--no-verbose", "takes no value", "--no-verbose=");
	setenv("T_VERBOSE", "1", 1);
	ASSERT_FAULT("T_VERBOSE", "must be true or false, not \"1\"");
}

static void what_is_unknown_or_missing_is_a_fault(void **state)
{
	(void)state;
	ASSERT_FAULT("--prot", "is not a flag of onsale test", "--prot=1");
	ASSERT_FAULT("--por", "is not a flag", "--por", "1");
	ASSERT_FAULT("--no-port", "is not a flag", "--no-port");
	ASSERT_FAULT("-p", "is not a flag", "-p", "1");
	ASSERT_FAULT("-port", "is not a flag", "-port=1");
	ASSERT_FAULT("--", "is not a flag", "--=1");
	ASSERT_FAULT("--port", "needs a value", "--port");
	ASSERT_FAULT("--port", "needs a value", "--port", "--verbose");
	ASSERT_FAULT("--port", "needs a value", "--port", "--");
	ASSERT_FAULT("stray", "takes none", "--port", "1", "stray");
	ASSERT_FAULT("stray", "takes none", "--", "stray");
	ASSERT_FAULT("-", "takes none", "-");
	ASSERT_FAULT("", "takes none", "");
	ASSERT_READY("--");
	ASSERT_FAULT("--database-url", "must not be empty", "--database-url=");
	unsetenv("T_URL");
	ASSERT_FAULT("--database-url", "is required; give it or set T_URL");
}

static void arguments_follow_the_flags(void **state)
{
	(void)state;
	program.arguments = "FILE...";
	ASSERT_READY("--port", "1", "a", "--port=x", "--help");
	assert_int_equal(next, 3);
	ASSERT_READY("--port=1", "--", "--verbose");
	assert_int_equal(next, 3);
	assert_false(settings.verbose);
	ASSERT_READY("-");
	assert_int_equal(next, 1);
	ASSERT_READY("--verbose");
	assert_int_equal(next, 2);
}

static void a_wrong_value_is_shown_harmless_and_short(void **state)
{
	(void)state;
	ASSERT_FAULT("--port", "from 0 to 65535, not \"a\\n\\u001b[2J\"", "--port=a\n\x1b[2J");
	char argument[2000] = "--port=";
	memset(argument + 7, '\x01', sizeof argument - 8);
	ASSERT_FAULT("--port", "from 0 to 65535, not \"\\u0001", argument);
	assert_non_null(strstr(fault.what, "\"..."));
	memset(argument + 2, 'x', sizeof argument - 3);
	assert_int_equal(PARSE(argument), CONFIG_FAULT);
	assert_true(strlen(fault.where) < sizeof fault.where);
}

static const char help_text[] = "Usage: onsale test [FLAG]... FILE...\n"
				"Tests how programs are configured.\n"
				"\n"
				"Flags, each with its environment variable:\n"
				"  --port=INTEGER       TCP port; 0 picks a free one\n"
				"                       T_PORT; default 8080; 0 to 65535\n"
				"  --database-url=TEXT  PostgreSQL connection string\n"
				"                       T_URL; required\n"
				"  --hold=DURATION      how long a hold lasts\n"
				"                       T_HOLD; default 10m; 1ms to 24h\n"
				"  --body-max=SIZE      largest body that is read\n"
				"                       T_BODY; default 1MiB; 512 to 8GiB\n"
				"  --log=CHOICE         form of the log\n"
				"                       T_LOG; default plain; one of json, plain\n"
				"  --[no-]verbose       log more\n"
				"                       T_VERBOSE; default false\n"
				"  --token-file=PATH    what administrators show\n"
				"                       T_TOKEN or T_TOKEN_FILE\n"
				"  --help               print this and exit\n"
				"  --version            print the version and exit\n";

static void help_is_aligned(void **state)
{
	(void)state;
	program.arguments = "FILE...";
	char *text;
	size_t size;
	FILE *output = open_memstream(&text, &size);
	config_help(&program, output);
	fclose(output);
	assert_string_equal(text, help_text);
	free(text);
}

/* What config_parse prints on standard output. */
static void assert_prints(const char *const arguments[], const char *expected)
{
	FILE *file = tmpfile();
	assert_non_null(file);
	fflush(stdout);
	int kept = dup(STDOUT_FILENO);
	dup2(fileno(file), STDOUT_FILENO);
	enum config_outcome outcome = parse(arguments);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	char text[2000] = "";
	rewind(file);
	size_t size = fread(text, 1, sizeof text - 1, file);
	text[size] = '\0';
	fclose(file);
	assert_int_equal(outcome, CONFIG_HELP);
	assert_string_equal(text, expected);
}

static void help_and_version_are_answered_whatever_else_is_wrong(void **state)
{
	(void)state;
	program.arguments = "FILE...";
	unsetenv("T_URL");
	setenv("T_TOKEN", "hunter2", 1);
	assert_prints((const char *const[]){"--help", NULL}, help_text);
	assert_prints((const char *const[]){"--port=x", "--help", NULL}, help_text);
	assert_prints((const char *const[]){"--port", "1", "--help", "x", NULL}, help_text);
	assert_prints((const char *const[]){"--wrong", "--help", NULL}, help_text);
	assert_prints((const char *const[]){"--version", NULL}, "onsale test 1.2.3\n");
	assert_prints((const char *const[]){"--verbose", "--version", NULL}, "onsale test 1.2.3\n");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_hold),
		TEST(flags_win_over_environment_over_defaults),
		TEST(both_forms_of_a_flag),
		TEST(integers_are_checked),
		TEST(durations_have_units),
		TEST(sizes_have_units),
		TEST(choices_and_switches),
		TEST(what_is_unknown_or_missing_is_a_fault),
		TEST(arguments_follow_the_flags),
		TEST(a_wrong_value_is_shown_harmless_and_short),
		TEST(help_is_aligned),
		TEST(help_and_version_are_answered_whatever_else_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
