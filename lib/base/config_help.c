/* What --help prints: the flags in one column, what they mean in the next, and under each meaning
 * the variable, the default and the range. */
#include "lib/base/config.h"

#include <string.h>

#include "lib/base/config_value.h"

enum { FLAG_TEXT_SIZE = 160 };

static void format_flag(const struct config_setting *setting, char text[FLAG_TEXT_SIZE]);
static const char *placeholder(enum config_kind kind);
static void print_row(FILE *output, int width, const char *flag, const char *help);
static void print_details(FILE *output, int width, const struct config_setting *setting);
static void print_detail(FILE *output, int *count, int width, const char *name, const char *value);
static void print_range(FILE *output, int *count, int width, const struct config_setting *setting);

void config_help(const struct config_program *program, FILE *output)
{
	char flag[FLAG_TEXT_SIZE];
	int width = (int)strlen("--version");
	for (size_t index = 0; index < program->setting_count; index++) {
		format_flag(&program->settings[index], flag);
		if ((int)strlen(flag) > width)
			width = (int)strlen(flag);
	}

	fprintf(output, "Usage: %s [FLAG]...%s%s\n", program->name, program->arguments ? " " : "",
		program->arguments ? program->arguments : "");
	fprintf(output, "%s\n\nFlags, each with its environment variable:\n", program->summary);
	for (size_t index = 0; index < program->setting_count; index++) {
		format_flag(&program->settings[index], flag);
		print_row(output, width, flag, program->settings[index].help);
		print_details(output, width, &program->settings[index]);
	}
	print_row(output, width, "--help", "print this and exit");
	print_row(output, width, "--version", "print the version and exit");
}

static void format_flag(const struct config_setting *setting, char text[FLAG_TEXT_SIZE])
{
	if (setting->kind == CONFIG_SWITCH)
		snprintf(text, FLAG_TEXT_SIZE, "--[no-]%s", setting->flag);
	else if (setting->kind == CONFIG_SECRET)
		snprintf(text, FLAG_TEXT_SIZE, "--%s-file=PATH", setting->flag);
	else
		snprintf(
			text, FLAG_TEXT_SIZE, "--%s=%s", setting->flag, placeholder(setting->kind));
}

static const char *placeholder(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_INTEGER:
		return "INTEGER";
	case CONFIG_DURATION:
		return "DURATION";
	case CONFIG_SIZE:
		return "SIZE";
	case CONFIG_CHOICE:
		return "CHOICE";
	case CONFIG_TEXT:
	case CONFIG_SWITCH:
	case CONFIG_SECRET:
		break;
	}
	return "TEXT";
}

static void print_row(FILE *output, int width, const char *flag, const char *help)
{
	fprintf(output, "  %-*s  %s\n", width, flag, help);
}

static void print_details(FILE *output, int width, const struct config_setting *setting)
{
	int count = 0;
	bool secret = setting->kind == CONFIG_SECRET;
	if (setting->environment) {
		print_detail(output, &count, width, "", setting->environment);
		if (secret)
			fprintf(output, " or %s_FILE", setting->environment);
	}
	if (setting->fallback)
		print_detail(
			output, &count, width, "default ", secret ? "built in" : setting->fallback);
	else if (setting->required)
		print_detail(output, &count, width, "required", "");
	print_range(output, &count, width, setting);
	if (count > 0)
		fprintf(output, "\n");
}

static void print_range(FILE *output, int *count, int width, const struct config_setting *setting)
{
	char min[CONFIG_NUMBER_TEXT_SIZE], max[CONFIG_NUMBER_TEXT_SIZE];
	switch (setting->kind) {
	case CONFIG_INTEGER:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		config_number_format(setting->kind, setting->min, min);
		config_number_format(setting->kind, setting->max, max);
		print_detail(output, count, width, min, " to ");
		fprintf(output, "%s", max);
		break;
	case CONFIG_CHOICE:
		print_detail(output, count, width, "one of ", setting->choices[0]);
		for (size_t index = 1; setting->choices[index]; index++)
			fprintf(output, ", %s", setting->choices[index]);
		break;
	case CONFIG_TEXT:
	case CONFIG_SWITCH:
	case CONFIG_SECRET:
		break;
	}
}

/* The details of one setting share a line under its meaning. */
static void print_detail(FILE *output, int *count, int width, const char *name, const char *value)
{
	if (*count == 0)
		fprintf(output, "  %-*s  ", width, "");
	fprintf(output, "%s%s%s", *count > 0 ? "; " : "", name, value);
	(*count)++;
}
