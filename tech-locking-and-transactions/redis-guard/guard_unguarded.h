/* The guard without its token compare: the negative control. Never part of a release. */
#pragma once

#include <stdbool.h>

enum guard_compare { GUARD_COMPARES, GUARD_COMPARES_NOT };

/* From now on, in all scripts of this process. */
void guard_compare_set(enum guard_compare compare);
