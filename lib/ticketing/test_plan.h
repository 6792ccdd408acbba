/* What the tests of seating plans share: a plan to spoil, committed files, and the asserts. */
#pragma once

#include "lib/base/buffer.h"
#include "lib/ticketing/seating_plan.h"

/* A small plan with all that is required, and areas of each shape to spoil. */
extern const char test_plan[];

/* The state of each test: where plans are read into, and the text of the plan at hand. */
struct reading {
	struct arena arena;
	struct buffer json;
};

int reading_set_up(void **state);
int reading_tear_down(void **state);

/* Add the whole of a file to `buffer`; fails the running test if there is no such file. The path is
 * relative to the repository's root. */
void test_file_read(const char *path, struct buffer *buffer);

/* Read the plan at hand, or a committed one; fails the running test if it is refused. */
const struct seating_plan *read_plan(struct reading *reading);
const struct seating_plan *read_file(struct reading *reading, const char *path);

/* The plan at hand becomes test_plan with one piece of it replaced. */
void spoil(struct reading *reading, const char *piece, const char *by);

/* The text is refused with this JSON path, and in words that contain `what`. */
void assert_refused(
	struct reading *reading, struct slice json, const char *where, const char *what);

struct spoiled {
	const char *piece, *by, *where, *what;
};

void assert_all_refused(struct reading *reading, const struct spoiled spoiled[], size_t count);

#define ASSERT_ALL_REFUSED(reading, spoiled) \
	assert_all_refused(reading, spoiled, sizeof(spoiled) / sizeof *(spoiled))
