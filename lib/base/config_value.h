/* Single values of a configuration: reading them, and writing them as people do. Used by config.c
 * and config_help.c only. */
#pragma once

#include "lib/base/config.h"
#include "lib/base/slice.h"

enum { CONFIG_NUMBER_TEXT_SIZE = 32 };

/* Write a number as it would be given: "8080", "10m", "8MiB". */
void config_number_format(
	enum config_kind kind, int64_t number, char text[CONFIG_NUMBER_TEXT_SIZE]);

/* Check `text`, which came from `where`, and put it into the setting's value; text is borrowed. Not
 * for secrets. */
__attribute__((warn_unused_result)) enum status config_set_value(
	const struct config_setting *setting, const char *where, const char *text,
	struct fault *fault);

/* Read the file `path`, which `where` named, into the setting's secret. The memory lives as long as
 * the program. Warns through the log when others than its owner can read the file. */
__attribute__((warn_unused_result)) enum status config_read_secret(
	const struct config_setting *setting, const char *where, const char *path,
	struct fault *fault);
