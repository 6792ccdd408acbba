/* Three passes: flags as they come, then the environment for what no flag gave, then the defaults
 * for what is still open. So a wrong value in the environment does no harm to one who overrides it
 * by a flag. A flag given twice counts as given last, so that a script can add to another's. */
#include "lib/base/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/config_value.h"

enum {
	SETTING_COUNT_MAX = 128,
	NAME_SIZE_MAX = 128, /* Of a flag or variable with what is added to it. */
};

struct reading {
	const struct config_program *program;
	char **argv;
	int argc;
	int next; /* The argument to be looked at. */
	bool given[SETTING_COUNT_MAX];
	struct fault *fault;
};

/* What an argument that begins with two dashes turned out to name. */
struct flag {
	const struct config_setting *setting;
	enum { FLAG_VALUE, FLAG_ON, FLAG_OFF, FLAG_FILE } kind;
	char name[NAME_SIZE_MAX]; /* As given, with the dashes, without a value. */
	const char *value;        /* What stands behind "="; NULL without one. */
};

static bool asks_for(const struct config_program *program, int argc, char **argv, const char *flag);
static enum status read_flags(struct reading *reading);
static enum status read_flag(struct reading *reading);
static enum status find_flag(const struct config_program *program, const char *argument,
	struct flag *flag, struct fault *fault);
static bool flag_matches(
	const struct config_setting *setting, struct slice name, struct flag *flag);
static enum status take_value(struct reading *reading, struct flag *flag);
static enum status read_environment(
	struct reading *reading, const struct config_setting *setting, bool *given);
static enum status read_secret_environment(
	struct reading *reading, const struct config_setting *setting, bool *given);
static enum status read_fallback(struct reading *reading, const struct config_setting *setting);
static enum status refuse_missing(const struct config_setting *setting, struct fault *fault);
static void check_table(const struct config_program *program);

enum config_outcome config_parse(
	const struct config_program *program, int argc, char **argv, int *next, struct fault *fault)
{
	check_table(program);

	/* Who asks for help gets it whatever else is wrong. */
	if (asks_for(program, argc, argv, "--help")) {
		config_help(program, stdout);
		return CONFIG_HELP;
	}
	if (asks_for(program, argc, argv, "--version")) {
		printf("%s %s\n", program->name, program->version);
		return CONFIG_HELP;
	}

	struct reading reading = {
		.program = program, .argv = argv, .argc = argc, .next = 1, .fault = fault};
	if (read_flags(&reading))
		return CONFIG_FAULT;
	for (size_t index = 0; index < program->setting_count; index++) {
		const struct config_setting *setting = &program->settings[index];
		bool *given = &reading.given[index];
		if (!*given && read_environment(&reading, setting, given))
			return CONFIG_FAULT;
		if (!*given && read_fallback(&reading, setting))
			return CONFIG_FAULT;
	}
	if (next)
		*next = reading.next;
	return CONFIG_READY;
}

/* Whether `flag` stands among the flags, which end where the other arguments begin. A value of its
 * own ("--name --help") it cannot be, since values that begin with dashes are given with "=". */
static bool asks_for(const struct config_program *program, int argc, char **argv, const char *flag)
{
	for (int index = 1; index < argc; index++) {
		if (strcmp(argv[index], "--") == 0)
			return false;
		if (strcmp(argv[index], flag) == 0)
			return true;
		/* A value of a flag before it looks like the first of the other arguments. */
		struct flag before = {.value = ""};
		if (strncmp(argv[index], "--", 2) != 0)
			return false;
		if (find_flag(program, argv[index], &before, NULL) == STATUS_OK && !before.value &&
			(before.kind == FLAG_VALUE || before.kind == FLAG_FILE) &&
			index + 1 < argc && strncmp(argv[index + 1], "--", 2) != 0)
			index++;
	}
	return false;
}

static enum status read_flags(struct reading *reading)
{
	while (reading->next < reading->argc) {
		const char *argument = reading->argv[reading->next];
		bool ends = strcmp(argument, "--") == 0;
		if (!ends && argument[0] == '-' && argument[1] != '\0') {
			if (read_flag(reading))
				return STATUS_REFUSED;
			continue;
		}
		reading->next += ends ? 1 : 0;
		if (reading->program->arguments || reading->next == reading->argc)
			return STATUS_OK;
		return fault_set(reading->fault, reading->argv[reading->next],
			"is an argument, and %s takes none besides its flags",
			reading->program->name);
	}
	return STATUS_OK;
}

/* Take the flag at `next`, and its value if that is an argument of its own. */
static enum status read_flag(struct reading *reading)
{
	struct flag flag = {.value = NULL};
	if (find_flag(reading->program, reading->argv[reading->next], &flag, reading->fault))
		return STATUS_REFUSED;
	reading->next++;
	reading->given[flag.setting - reading->program->settings] = true;

	switch (flag.kind) {
	case FLAG_ON:
	case FLAG_OFF:
		if (flag.value)
			return fault_set(reading->fault, flag.name,
				"takes no value; --%s turns it on, --no-%s off", flag.setting->flag,
				flag.setting->flag);
		*(bool *)flag.setting->value = flag.kind == FLAG_ON;
		return STATUS_OK;
	case FLAG_FILE:
		if (take_value(reading, &flag))
			return STATUS_REFUSED;
		return config_read_secret(flag.setting, flag.name, flag.value, reading->fault);
	case FLAG_VALUE:
		if (take_value(reading, &flag))
			return STATUS_REFUSED;
		return config_set_value(flag.setting, flag.name, flag.value, reading->fault);
	}
	return STATUS_REFUSED;
}

/* Find out what `argument` names. What stands behind "=" is never repeated in the fault: a
 * misspelt flag may carry a secret. */
static enum status find_flag(const struct config_program *program, const char *argument,
	struct flag *flag, struct fault *fault)
{
	struct slice name = slice_of(argument);
	const char *equals = strchr(argument, '=');
	if (equals)
		name.size = (size_t)(equals - argument);
	snprintf(flag->name, sizeof flag->name, "%.*s", SLICE_PRINT(name));
	flag->value = equals ? equals + 1 : NULL;
	if (!slice_starts_with(name, "--"))
		return fault_set(
			fault, flag->name, "is not a flag of %s; see --help", program->name);

	name.data += 2;
	name.size -= 2;
	for (size_t index = 0; index < program->setting_count; index++) {
		const struct config_setting *setting = &program->settings[index];
		if (flag_matches(setting, name, flag)) {
			flag->setting = setting;
			return STATUS_OK;
		}
		if (setting->kind == CONFIG_SECRET && slice_is(name, setting->flag))
			return fault_set(fault, flag->name,
				"is a secret and not taken from the command line, which other "
				"users can read; set %s%s--%s-file",
				setting->environment ? setting->environment : "",
				setting->environment ? " or " : "", setting->flag);
	}
	return fault_set(fault, flag->name, "is not a flag of %s; see --help", program->name);
}

static bool flag_matches(const struct config_setting *setting, struct slice name, struct flag *flag)
{
	char other[NAME_SIZE_MAX];
	switch (setting->kind) {
	case CONFIG_SWITCH:
		flag->kind = FLAG_ON;
		if (slice_is(name, setting->flag))
			return true;
		flag->kind = FLAG_OFF;
		snprintf(other, sizeof other, "no-%s", setting->flag);
		return slice_is(name, other);
	case CONFIG_SECRET:
		flag->kind = FLAG_FILE;
		snprintf(other, sizeof other, "%s-file", setting->flag);
		return slice_is(name, other);
	default:
		flag->kind = FLAG_VALUE;
		return slice_is(name, setting->flag);
	}
}

/* "--port=8080" or "--port 8080". In the second form a value cannot begin with two dashes: it is
 * far more often forgotten than meant. */
static enum status take_value(struct reading *reading, struct flag *flag)
{
	if (flag->value)
		return STATUS_OK;
	const char *value = reading->next < reading->argc ? reading->argv[reading->next] : "--";
	if (strncmp(value, "--", 2) == 0)
		return fault_set(reading->fault, flag->name, "needs a value");
	flag->value = value;
	reading->next++;
	return STATUS_OK;
}

/* A variable that is empty counts as not set: that is how compose files and unit files clear one.
 */
static const char *variable(const char *name)
{
	const char *text = getenv(name);
	return text && text[0] != '\0' ? text : NULL;
}

static enum status read_environment(
	struct reading *reading, const struct config_setting *setting, bool *given)
{
	if (!setting->environment)
		return STATUS_OK;
	if (setting->kind == CONFIG_SECRET)
		return read_secret_environment(reading, setting, given);
	const char *text = variable(setting->environment);
	if (!text)
		return STATUS_OK;
	*given = true;
	return config_set_value(setting, setting->environment, text, reading->fault);
}

static enum status read_secret_environment(
	struct reading *reading, const struct config_setting *setting, bool *given)
{
	char file_variable[NAME_SIZE_MAX];
	snprintf(file_variable, sizeof file_variable, "%s_FILE", setting->environment);
	const char *secret = variable(setting->environment);
	const char *path = variable(file_variable);
	if (secret && path)
		return fault_set(reading->fault, setting->environment,
			"and %s are both set, and which one holds is not clear", file_variable);
	if (path) {
		*given = true;
		return config_read_secret(setting, file_variable, path, reading->fault);
	}
	if (secret) {
		*given = true;
		*(const char **)setting->value = secret;
	}
	return STATUS_OK;
}

static enum status read_fallback(struct reading *reading, const struct config_setting *setting)
{
	if (!setting->fallback)
		return setting->required ? refuse_missing(setting, reading->fault) : STATUS_OK;
	if (setting->kind == CONFIG_SECRET) {
		*(const char **)setting->value = setting->fallback;
		return STATUS_OK;
	}
	struct fault fault;
	enum status status = config_set_value(setting, setting->flag, setting->fallback, &fault);
	assert(status == STATUS_OK); /* The table's default is wrong. */
	return status;
}

static enum status refuse_missing(const struct config_setting *setting, struct fault *fault)
{
	const char *variable_name = setting->environment;
	const char *file = setting->kind == CONFIG_SECRET ? "-file" : "";
	char where[NAME_SIZE_MAX];
	snprintf(where, sizeof where, "--%s%s", setting->flag, file);
	if (!variable_name)
		return fault_set(fault, where, "is required");
	if (setting->kind == CONFIG_SECRET)
		return fault_set(fault, variable_name,
			"is required; set it, or name a file by %s_FILE or %s", variable_name,
			where);
	return fault_set(fault, where, "is required; give it or set %s", variable_name);
}

static void check_table(const struct config_program *program)
{
	assert(program->setting_count <= SETTING_COUNT_MAX);
	for (size_t index = 0; index < program->setting_count; index++) {
		const struct config_setting *setting = &program->settings[index];
		assert(setting->flag && setting->value && setting->help);
		assert(strlen(setting->flag) < NAME_SIZE_MAX - sizeof "--no--file");
		assert(!setting->environment ||
			strlen(setting->environment) < NAME_SIZE_MAX - sizeof "_FILE");
		assert(setting->kind != CONFIG_CHOICE || setting->choices);
		assert(setting->min <= setting->max);
	}
}
