/* A venue's seating plan as the product uses it: read once, found by name, shared by every event of
 * the venue, and freed by whoever has it last.
 *
 * Nothing in it changes once it is made, so any thread may read it. The plan's seats are known by
 * their index, in the order of the document: what the geometry (venue_plan_map) lists, and what the
 * streams of an event name. */
#pragma once

#include <stdatomic.h>

#include "lib/base/buffer.h"
#include "lib/base/id.h"
#include "lib/ticketing/best_available.h"
#include "lib/ticketing/seating_plan.h"

struct venue_plan {
	atomic_size_t references;
	struct id venue;
	const struct seating_plan *plan;
	const struct best_available *best;
	const uint32_t *by_name; /* Indices of seats, in the order of their guids' bytes. */
	struct arena arena, best_arena;
};

enum { VENUE_PLAN_NO_SEAT = UINT32_MAX };

/* Read the plan. REFUSED, with a fault: it is none. UNAVAILABLE: memory is short. */
__attribute__((warn_unused_result)) enum status venue_plan_new(
	struct id venue, struct slice json, struct venue_plan **plan, struct fault *fault);

/* One more, or one fewer, who has it. NULL is allowed for the second. */
struct venue_plan *venue_plan_hold(struct venue_plan *plan);
void venue_plan_release(struct venue_plan *plan);

/* The index of the seat with this guid, or VENUE_PLAN_NO_SEAT. */
uint32_t venue_plan_seat(const struct venue_plan *plan, struct slice guid);

/* The section or category of this name; NULL where there is none. Of several sections with one name
 * the first. */
const struct seating_zone *venue_plan_section(const struct venue_plan *plan, struct slice name);
const struct seating_category *venue_plan_category(
	const struct venue_plan *plan, struct slice name);

/* Write the geometry as JSON: sizes, categories with colours, sections with rows, and of each row
 * the seats as arrays of the same length (`ids`, `numbers`, `x`, `y`, `categories`), whose first
 * has the index `first`; areas as shapes with colours and texts. */
void venue_plan_map(const struct venue_plan *plan, struct buffer *text);
