/* What is checked in JSON from outside before a parser may build a tree of it.
 *
 * A parser's tree takes many times the memory of its text, and a recursive parser takes stack for
 * each level; so both are bounded first, by one pass without any allocation. This is no validator:
 * grammar, UTF-8 and duplicate keys are the parser's business, and json_path_at says in the
 * reader's words where the parser stopped. */
#pragma once

#include "lib/base/slice.h"
#include "lib/base/status.h"

enum { JSON_DEPTH_MAX = 64 }; /* No caller may allow more: the scan keeps its path on the stack. */

struct json_limits {
	size_t size_max;       /* Bytes of text. */
	size_t depth_max;      /* Objects and arrays within each other; 1 to JSON_DEPTH_MAX. */
	size_t containers_max; /* Objects and arrays in all: a tree's dearest nodes. */
	size_t tokens_max;     /* Those, keys, strings, numbers and literals in all. */
};

/* Whether `json` keeps to the limits. STATUS_REFUSED otherwise, with the JSON path of the first
 * place that passes one ("$.zones[3].rows[0]"). Text that is not JSON passes as long as it keeps to
 * the limits: up to its first error of grammar the count is exact, and there a parser stops. */
__attribute__((warn_unused_result)) enum status json_guard(
	struct slice json, const struct json_limits *limits, struct fault *fault);

/* Write the JSON path of the value or key in which the byte at `offset` stands, as far as `size`
 * bytes hold it, always zero-terminated and always valid UTF-8. For parsers that tell only a
 * position, as jansson's json_error_t does. Deeper than JSON_DEPTH_MAX it names the ancestor. */
void json_path_at(struct slice json, size_t offset, char *path, size_t size);
