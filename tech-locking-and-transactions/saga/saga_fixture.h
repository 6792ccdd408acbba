/* The saga as a subject of the suite: seats in one cluster, orders in another. For tests. */
#pragma once

#include "tech-locking-and-transactions/checkout_fixture.h"

extern const struct checkout_subject saga_subject;
