/* The checkout in one database as a subject of the suite. For tests. */
#pragma once

#include "tech-locking-and-transactions/checkout_fixture.h"

extern const struct checkout_subject postgres_checkout_subject;
