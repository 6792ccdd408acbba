/* Secrets in the configuration: environment, files, and that nothing repeats them. */
#include "lib/base/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/log.h"

static struct {
	const char *url;
	const char *token;
} settings;

static const struct config_setting table[] = {
	{.flag = "database-url",
		.kind = CONFIG_TEXT,
		.value = &settings.url,
		.help = "PostgreSQL connection string"},
	{.flag = "token",
		.environment = "T_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.token,
		.help = "what administrators show"},
};

static const struct config_program program = {
	.name = "onsale test",
	.summary = "Tests how secrets are configured.",
	.version = "1.2.3",
	.settings = table,
	.setting_count = sizeof table / sizeof table[0],
};

static struct fault fault;

static int set_up(void **state)
{
	(void)state;
	unsetenv("T_TOKEN");
	unsetenv("T_TOKEN_FILE");
	settings.token = NULL;
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
	return config_parse(&program, argc, argv, NULL, &fault);
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

static char path[] = "/tmp/config_test.XXXXXX";

static void write_file(const char *bytes, size_t size, mode_t mode)
{
	int file = open(path, O_WRONLY | O_TRUNC);
	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, size), size);
	assert_int_equal(fchmod(file, mode), 0);
	close(file);
}

static int make_file(void **state)
{
	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	int file = mkstemp(path);
	close(file);
	return file < 0 ? -1 : set_up(state);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void secrets_from_the_environment(void **state)
{
	(void)state;
	setenv("T_TOKEN", "hunter2", 1);
	ASSERT_READY();
	assert_string_equal(settings.token, "hunter2");
}

static void secrets_from_files(void **state)
{
	(void)state;
	write_file("hunter2\n", 8, 0600);
	ASSERT_READY("--token-file", path);
	assert_string_equal(settings.token, "hunter2");
	settings.token = NULL;
	setenv("T_TOKEN_FILE", path, 1);
	ASSERT_READY();
	assert_string_equal(settings.token, "hunter2");
	/* One newline is dropped, and nothing else. */
	write_file(" a b \n\n", 7, 0600);
	ASSERT_READY();
	assert_string_equal(settings.token, " a b \n");
	write_file("x", 1, 0600);
	ASSERT_READY();
	assert_string_equal(settings.token, "x");
	/* A flag wins over both variables. */
	setenv("T_TOKEN", "other", 1);
	setenv("T_TOKEN_FILE", "/nowhere", 1);
	char flag[100];
	snprintf(flag, sizeof flag, "--token-file=%s", path);
	ASSERT_READY(flag);
	assert_string_equal(settings.token, "x");
}

static void secrets_of_any_size_up_to_the_bound(void **state)
{
	(void)state;
	static char bytes[65538];
	memset(bytes, 's', sizeof bytes);
	write_file(bytes, 65536, 0600);
	ASSERT_READY("--token-file", path);
	assert_int_equal(strlen(settings.token), 65536);
	write_file(bytes, 65537, 0600);
	ASSERT_FAULT("--token-file", "more than 65536 bytes", "--token-file", path);
	write_file("", 0, 0600);
	ASSERT_FAULT("--token-file", "is empty", "--token-file", path);
	write_file("\n", 1, 0600);
	ASSERT_FAULT("--token-file", "is empty", "--token-file", path);
	write_file("a\0b", 3, 0600);
	ASSERT_FAULT("--token-file", "zero byte", "--token-file", path);
	ASSERT_FAULT("--token-file", "No such file", "--token-file", "/nowhere/at/all");
	ASSERT_FAULT("--token-file", "Is a directory", "--token-file", "/tmp");
	ASSERT_FAULT("--token-file", "No such file", "--token-file=");
	setenv("T_TOKEN_FILE", "/nowhere/at/all", 1);
	ASSERT_FAULT("T_TOKEN_FILE", "No such file");
	setenv("T_TOKEN", "hunter2", 1);
	ASSERT_FAULT("T_TOKEN", "T_TOKEN_FILE are both set");
	assert_null(strstr(fault.what, "hunter2"));
}

static void secrets_are_not_taken_from_flags_nor_repeated(void **state)
{
	(void)state;
	ASSERT_FAULT("--token", "set T_TOKEN or --token-file", "--token=hunter2");
	assert_null(strstr(fault.what, "hunter2"));
	ASSERT_FAULT("--token", "is a secret", "--token", "hunter2");
	assert_null(strstr(fault.what, "hunter2"));
	ASSERT_FAULT("--tokn", "is not a flag", "--tokn=hunter2");
	assert_null(strstr(fault.what, "hunter2"));
	/* Nor is a connection string with its password. */
	ASSERT_FAULT("stray", "takes none", "--database-url=postgres://u:hunter2@h/d", "stray");
	assert_null(strstr(fault.what, "hunter2"));
}

static void a_required_secret_says_how_to_give_it(void **state)
{
	(void)state;
	static const struct config_setting only[] = {{.flag = "token",
		.environment = "T_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.token,
		.required = true,
		.help = "what administrators show"}};
	struct config_program other = {
		.name = "x", .summary = "y", .version = "1", .settings = only, .setting_count = 1};
	char *argv[] = {(char *)"x", NULL};
	assert_int_equal(config_parse(&other, 1, argv, NULL, &fault), CONFIG_FAULT);
	assert_string_equal(fault.where, "T_TOKEN");
	assert_string_equal(
		fault.what, "is required; set it, or name a file by T_TOKEN_FILE or --token-file");
	setenv("T_TOKEN", "", 1);
	assert_int_equal(config_parse(&other, 1, argv, NULL, &fault), CONFIG_FAULT);
}

static void a_secret_that_others_can_read_is_warned_of(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	log_redirect(ends[1]);
	char text[500];
	write_file("hunter2", 7, 0600);
	ASSERT_READY("--token-file", path);
	assert_int_equal(read(ends[0], text, sizeof text), -1);
	static const mode_t modes[] = {0640, 0604, 0620};
	for (size_t index = 0; index < sizeof modes / sizeof modes[0]; index++) {
		write_file("hunter2", 7, modes[index]);
		ASSERT_READY("--token-file", path);
		ssize_t size = read(ends[0], text, sizeof text - 1);
		assert_true(size > 0);
		text[size] = '\0';
		assert_non_null(
			strstr(text, "WARNING config.secret_readable_by_others file=/tmp/"));
		assert_null(strstr(text, "hunter2"));
	}
	log_redirect(STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(secrets_from_the_environment),
		FILE_TEST(secrets_from_files),
		FILE_TEST(secrets_of_any_size_up_to_the_bound),
		TEST(secrets_are_not_taken_from_flags_nor_repeated),
		TEST(a_required_secret_says_how_to_give_it),
		FILE_TEST(a_secret_that_others_can_read_is_warned_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
