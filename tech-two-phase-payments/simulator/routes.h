/* The simulator over HTTP: handlers run on the event loops, parse and check, and hand jobs to the
 * core; what is wrong with a request by itself is answered at once, as Stripe words it. */
#pragma once

#include "tech-two-phase-payments/simulator/core.h"

enum { PROVIDER_KEYS_MAX = 16 };

struct routes_context {
	struct core *core;
	const char *admin_token;
	const char *keys; /* "sk_test_…", several with commas between. */
	const char *api_version;
};

/* Whether `keys` is 1 to PROVIDER_KEYS_MAX keys that begin with "sk_test_". */
bool routes_keys_are_good(const char *keys);

extern const struct http_route simulator_routes[];
extern const size_t simulator_route_count;
