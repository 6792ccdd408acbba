/* The negative controls of the saga: compensations that are left out. Part of a test's build only.
 */
#pragma once

#include <stdbool.h>

/* Whether seats are revoked, and authorizations voided: true to begin with. */
extern bool saga_revokes, saga_voids;

#define SAGA_REVOKES saga_revokes
#define SAGA_VOIDS saga_voids
