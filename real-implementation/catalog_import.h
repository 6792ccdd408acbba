/* `onsale import`: venues and events from files.
 *
 * The id of what is imported derives from the document's content, so importing a file again finds
 * what is there and changes nothing, also after the thing was changed through the API; whatever was
 * cut short is completed. White space and the order of members do not count. A document that was
 * edited makes another venue or event; to change one that is there, use the API. */
#pragma once

#include "real-implementation/catalog.h"

enum import_kind { IMPORT_VENUE, IMPORT_EVENT };

struct import_options {
	const char *database_url;
	int64_t ms; /* For connecting, and for each statement. */

	/* As in struct catalog; only for events. */
	enum status (*open_seats)(void *context, struct seat_store **store, struct fault *fault);
	void *seats_context;
	void (*progress)(void *context, size_t done, size_t total); /* Seats; may be NULL. */
	void *progress_context;
};

struct import_result {
	struct id id;
	bool is_new; /* False: it was there. */
	char *json;  /* As the API would answer; the caller frees it. NULL unless OK. */
};

/* Import one file. REFUSED: the file cannot be read or is wrong, or does not fit what is in the
 * database; `fault->where` is the file, and within it the place ("stadium.json: $.zones[2].name"
 * or "stadium.json:12:7"). UNAVAILABLE and UNKNOWN: the database does not answer; do it again. */
__attribute__((warn_unused_result)) enum status import_file(const struct import_options *options,
	enum import_kind kind, const char *path, struct import_result *result, struct fault *fault);
