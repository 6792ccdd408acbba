/* See saga_unguarded.h. */
#include "tech-locking-and-transactions/saga/saga_unguarded.h"

bool saga_revokes = true, saga_voids = true;
