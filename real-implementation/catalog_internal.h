/* What the files of the catalog share. Private to them. */
#pragma once

#include "real-implementation/catalog.h"

/* Copy a text out of a result that is about to be released. UNAVAILABLE when memory is short. */
enum status catalog_copy(struct arena *arena, const struct postgres_result *result, size_t row,
	size_t column, struct slice *copy);

/* Record the answer under the request's key, in the open transaction; nothing without a key. */
enum status catalog_keep_key(
	struct postgres *pg, const struct catalog_request *request, struct slice json);

/* Whether it was made from what the request is made from. */
bool catalog_same_origin(
	const struct postgres_result *result, const struct catalog_request *request);
