/* Bodies of application/x-www-form-urlencoded (WHATWG URL standard, section 5.1), as Stripe's API
 * takes them: `amount=4500&metadata[orderId]=o-1`.
 *
 * Stricter than a browser: an escape that is none, text that is not UTF-8, a zero byte and a name
 * that comes twice are refused, since a client under test should hear of its mistakes. Only names
 * that end in `[]` are lists and may repeat. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum { FORM_SIZE_MAX = 64 << 10, FORM_PAIRS_MAX = 256 };

struct form_pair {
	struct slice name, value; /* Decoded. */
};

struct form {
	struct form_pair *pairs; /* In the order of the body. */
	size_t count;
};

/* Take a body apart. REFUSED with a fault when it is malformed or passes a limit; UNAVAILABLE when
 * memory is short. Everything is in the arena. */
__attribute__((warn_unused_result)) enum status form_parse(
	struct arena *arena, struct slice body, struct form *form, struct fault *fault);

/* The value of the first pair of this name; false: there is none. */
bool form_find(const struct form *form, const char *name, struct slice *value);

/* Decode one percent-encoded piece ('+' is a space). The same statuses; `text` is in the arena. */
__attribute__((warn_unused_result)) enum status form_decode(
	struct arena *arena, struct slice encoded, struct slice *text, struct fault *fault);
