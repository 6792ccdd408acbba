/* The parts of a seating plan that are only drawn. Private to the reader of seating plans. */
#pragma once

#include "lib/ticketing/plan_json.h"
#include "lib/ticketing/seating_plan.h"

/* A color as struct seating_color documents it; a missing one is all zero. */
struct seating_color plan_color(struct plan_reader *reader, const struct node *node);

/* A position relative to `origin`, made absolute. `origin` itself if it is missing and may be. */
struct seating_point plan_position(struct plan_reader *reader, const struct node *node,
	enum presence presence, struct seating_point origin);

/* Read an area of a zone that stands at `origin`. `points_left`, the polygon points that the plan
 * may still have, shrinks. The caller sets the zone. */
struct seating_area plan_area(struct plan_reader *reader, const struct node *node,
	struct seating_point origin, size_t *points_left);
