/* One run of services/SERVICE.sh for an instance of a test; what the fixtures of services share. */
#pragma once

#include <stddef.h>

#include "lib/base/status.h"

enum { SERVICE_NAME_SIZE_MAX = 20, SERVICE_INSTANCE_SIZE = 48 };

/* Name the instance "test-NAME-PID", so that no other run of a test has the same. `name` has at
 * most SERVICE_NAME_SIZE_MAX of a-z 0-9 -. */
void service_script_name(char instance[SERVICE_INSTANCE_SIZE], const char *name);

/* Run the script with one verb, for this process as the owner. Copies the first line that it prints
 * into `line`, which may be NULL with a size of 0. The script is found in the folder that the
 * environment variable ONSALE_SOURCE names, or the current one. UNAVAILABLE when it fails; it has
 * said why on standard error. */
__attribute__((warn_unused_result)) enum status service_script_run(
	const char *service, const char *verb, const char *instance, char *line, size_t size);
