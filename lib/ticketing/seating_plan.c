/* The reader of seating plans: guard the text, build jansson's tree, measure it, take room for flat
 * arrays of that size, and fill them in the order of the document.
 *
 * Measuring first costs a walk over the rows but gives arrays that never grow, and refuses a plan
 * that is too large before anything is copied. */
#include "lib/ticketing/seating_plan.h"

#include <assert.h>
#include <stdio.h>

#include "lib/ticketing/name_index.h"
#include "lib/ticketing/plan_json.h"
#include "lib/ticketing/seating_area.h"

/* A plan in the making: the arrays once more, not const, and how far each is filled. */
struct builder {
	struct plan_reader reader;
	struct seating_plan plan;
	struct seating_category *categories;
	struct seating_zone *zones;
	struct seating_row *rows;
	struct seating_seat *seats;
	struct seating_area *areas;
	struct name_entry *category_names; /* Sorted. */
	uint32_t rows_read, seats_read, areas_read;
	size_t points_left;
};

static void measure(struct builder *builder, const struct node *root);
static void make_room(struct builder *builder);
static void read_plan(struct builder *builder, const struct node *root);
static void refuse_repeated_guids(struct builder *builder, const struct node *root);

enum status seating_plan_read(struct slice json, struct arena *arena,
	const struct seating_plan **plan, struct fault *fault)
{
	static const struct json_limits limits = {
		.size_max = SEATING_PLAN_SIZE_MAX,
		.depth_max = SEATING_DEPTH_MAX,
		.containers_max = SEATING_CONTAINERS_MAX,
		.tokens_max = SEATING_TOKENS_MAX,
	};
	json_t *tree;
	enum status status = json_tree_load(json, &limits, &tree, fault);
	if (status != STATUS_OK)
		return status;
	struct builder builder = {
		.reader = {.arena = arena, .fault = fault, .status = STATUS_OK},
		.points_left = SEATING_POINTS_MAX,
	};
	const struct node root = {.value = tree};
	measure(&builder, &root);
	make_room(&builder);
	read_plan(&builder, &root);
	refuse_repeated_guids(&builder, &root);
	struct seating_plan *made = plan_room(&builder.reader, 1, sizeof *made);
	json_decref(tree);
	if (!plan_reads_on(&builder.reader))
		return builder.reader.status;
	*made = builder.plan;
	*plan = made;
	return STATUS_OK;
}

/* Add to a count that has a bound. */
static uint32_t count_on(struct builder *builder, const struct node *node, uint32_t count,
	size_t more, size_t count_max, const char *of_what)
{
	if (more <= count_max - count)
		return count + (uint32_t)more;
	plan_refuse(&builder->reader, node, "brings the plan above %zu %s", count_max, of_what);
	return count;
}

static void measure_zone(struct builder *builder, const struct node *zone)
{
	struct plan_reader *reader = &builder->reader;
	struct seating_plan *plan = &builder->plan;
	plan_check_object(reader, zone, REQUIRED);
	struct node areas = node_member(zone, "areas");
	size_t count = plan_count(reader, &areas, OPTIONAL, SEATING_AREAS_MAX);
	plan->area_count =
		count_on(builder, &areas, plan->area_count, count, SEATING_AREAS_MAX, "areas");
	struct node rows = node_member(zone, "rows");
	count = plan_count(reader, &rows, REQUIRED, SEATING_ROWS_MAX);
	plan->row_count =
		count_on(builder, &rows, plan->row_count, count, SEATING_ROWS_MAX, "rows");
	for (size_t i = 0; i < count && plan_reads_on(reader); i++) {
		struct node row = node_element(&rows, i);
		plan_check_object(reader, &row, REQUIRED);
		struct node seats = node_member(&row, "seats");
		size_t more = plan_count(reader, &seats, REQUIRED, LIMIT_SEATS_PER_PLAN);
		plan->seat_count = count_on(
			builder, &seats, plan->seat_count, more, LIMIT_SEATS_PER_PLAN, "seats");
	}
}

/* Count everything, and with that check the outer form: objects where objects belong, and arrays.
 */
static void measure(struct builder *builder, const struct node *root)
{
	struct plan_reader *reader = &builder->reader;
	plan_check_object(reader, root, REQUIRED);
	struct node categories = node_member(root, "categories");
	struct node zones = node_member(root, "zones");
	builder->plan.category_count =
		(uint32_t)plan_count(reader, &categories, REQUIRED, SEATING_CATEGORIES_MAX);
	builder->plan.zone_count =
		(uint32_t)plan_count(reader, &zones, REQUIRED, SEATING_ZONES_MAX);
	for (size_t i = 0; i < builder->plan.zone_count && plan_reads_on(reader); i++) {
		struct node zone = node_element(&zones, i);
		measure_zone(builder, &zone);
	}
	if (builder->plan.seat_count == 0)
		plan_refuse(reader, &zones, "has no seat");
}

static void make_room(struct builder *builder)
{
	struct plan_reader *reader = &builder->reader;
	struct seating_plan *plan = &builder->plan;
	if (!plan_reads_on(reader))
		return;
	builder->categories = plan_room(reader, plan->category_count, sizeof *plan->categories);
	builder->category_names =
		plan_room(reader, plan->category_count, sizeof *builder->category_names);
	builder->zones = plan_room(reader, plan->zone_count, sizeof *plan->zones);
	builder->rows = plan_room(reader, plan->row_count, sizeof *plan->rows);
	builder->seats = plan_room(reader, plan->seat_count, sizeof *plan->seats);
	builder->areas = plan_room(reader, plan->area_count, sizeof *plan->areas);
	plan->categories = builder->categories;
	plan->zones = builder->zones;
	plan->rows = builder->rows;
	plan->seats = builder->seats;
	plan->areas = builder->areas;
}

/* A name or guid: a text that must be there and say something. */
static struct slice read_name(
	struct plan_reader *reader, const struct node *owner, const char *key, size_t size_max)
{
	struct node node = node_member(owner, key);
	struct slice name = plan_text(reader, &node, REQUIRED, size_max);
	if (name.size == 0)
		plan_refuse(reader, &node, "must not be empty");
	return name;
}

static struct slice read_optional_text(
	struct plan_reader *reader, const struct node *owner, const char *key)
{
	struct node node = node_member(owner, key);
	return plan_text(reader, &node, OPTIONAL, LIMIT_NAME_SIZE_MAX);
}

static void read_categories(struct builder *builder, const struct node *root)
{
	struct plan_reader *reader = &builder->reader;
	struct node nodes = node_member(root, "categories");
	uint32_t count = builder->plan.category_count;
	for (uint32_t i = 0; i < count && plan_reads_on(reader); i++) {
		struct node node = node_element(&nodes, i);
		plan_check_object(reader, &node, REQUIRED);
		struct node color = node_member(&node, "color");
		builder->categories[i] = (struct seating_category){
			.name = read_name(reader, &node, "name", LIMIT_NAME_SIZE_MAX),
			.color = plan_color(reader, &color),
		};
		builder->category_names[i] =
			(struct name_entry){.name = builder->categories[i].name, .index = i};
	}
	if (!plan_reads_on(reader))
		return;
	uint32_t earlier, later;
	name_index_sort(builder->category_names, count);
	if (name_index_repeated(builder->category_names, count, &earlier, &later)) {
		struct node node = node_element(&nodes, later);
		struct node name = node_member(&node, "name");
		plan_refuse(reader, &name, "is also the name of $.categories[%u]", earlier);
	}
}

/* Not copied: the category has its own copy of the name. */
static uint32_t read_category(struct builder *builder, const struct node *seat)
{
	struct node node = node_member(seat, "category");
	const char *name = json_string_value(node.value);
	const struct name_entry *entry = NULL;
	if (name)
		entry = name_index_find(builder->category_names, builder->plan.category_count,
			(struct slice){.data = name, .size = json_string_length(node.value)});
	if (!node.value)
		plan_refuse(&builder->reader, &node, "is missing");
	else if (!entry)
		plan_refuse(&builder->reader, &node, "must be the name of one of $.categories");
	return entry ? entry->index : 0;
}

static struct seating_seat read_seat(
	struct builder *builder, const struct node *node, struct seating_point origin)
{
	struct plan_reader *reader = &builder->reader;
	plan_check_object(reader, node, REQUIRED);
	struct node number = node_member(node, "seat_number");
	struct node position = node_member(node, "position");
	struct seating_point point = plan_position(reader, &position, REQUIRED, origin);
	return (struct seating_seat){
		.guid = read_name(reader, node, "seat_guid", LIMIT_ID_SIZE_MAX),
		.number = plan_number_text(reader, &number, LIMIT_NAME_SIZE_MAX),
		.row_index = builder->rows_read,
		.category_index = read_category(builder, node),
		.x = point.x,
		.y = point.y,
	};
}

static void read_row(struct builder *builder, const struct node *node, uint32_t zone_index)
{
	struct plan_reader *reader = &builder->reader;
	struct node number = node_member(node, "row_number");
	struct node position = node_member(node, "position");
	struct node seats = node_member(node, "seats");
	struct seating_point origin =
		plan_position(reader, &position, OPTIONAL, builder->zones[zone_index].position);
	struct seating_row row = {
		.number = plan_number_text(reader, &number, LIMIT_NAME_SIZE_MAX),
		.row_label = read_optional_text(reader, node, "row_label"),
		.seat_label = read_optional_text(reader, node, "seat_label"),
		.zone_index = zone_index,
		.first_seat = builder->seats_read,
		.seat_count = (uint32_t)json_array_size(seats.value),
	};
	for (uint32_t i = 0; i < row.seat_count && plan_reads_on(reader); i++) {
		struct node node_of_seat = node_element(&seats, i);
		struct seating_seat *seat = &builder->seats[builder->seats_read++];
		*seat = read_seat(builder, &node_of_seat, origin);
		seat->zone_index = zone_index;
	}
	builder->rows[builder->rows_read++] = row;
}

static struct seating_zone read_zone_itself(struct builder *builder, const struct node *node)
{
	struct plan_reader *reader = &builder->reader;
	struct node position = node_member(node, "position");
	struct node focal_point = node_member(node, "focalPoint");
	struct slice name = read_optional_text(reader, node, "name");
	struct slice zone_id = read_optional_text(reader, node, "zone_id");
	struct seating_point origin =
		plan_position(reader, &position, REQUIRED, (struct seating_point){0, 0});
	return (struct seating_zone){
		.name = name.size ? name : zone_id,
		.zone_id = zone_id.size ? zone_id : name,
		.position = origin,
		.has_focal_point = focal_point.value != NULL,
		.focal_point = plan_position(reader, &focal_point, OPTIONAL, origin),
		.first_row = builder->rows_read,
		.first_seat = builder->seats_read,
		.first_area = builder->areas_read,
	};
}

static void read_zone(struct builder *builder, const struct node *node, uint32_t index)
{
	struct plan_reader *reader = &builder->reader;
	struct seating_zone *zone = &builder->zones[index];
	struct node rows = node_member(node, "rows");
	struct node areas = node_member(node, "areas");
	*zone = read_zone_itself(builder, node);
	zone->row_count = (uint32_t)json_array_size(rows.value);
	zone->area_count = (uint32_t)json_array_size(areas.value);
	for (uint32_t i = 0; i < zone->row_count && plan_reads_on(reader); i++) {
		struct node row = node_element(&rows, i);
		read_row(builder, &row, index);
	}
	for (uint32_t i = 0; i < zone->area_count && plan_reads_on(reader); i++) {
		struct node node_of_area = node_element(&areas, i);
		struct seating_area *area = &builder->areas[builder->areas_read++];
		*area = plan_area(reader, &node_of_area, zone->position, &builder->points_left);
		area->zone_index = index;
	}
	zone->seat_count = builder->seats_read - zone->first_seat;
}

static void read_plan(struct builder *builder, const struct node *root)
{
	struct plan_reader *reader = &builder->reader;
	struct seating_plan *plan = &builder->plan;
	if (!plan_reads_on(reader))
		return;
	struct node size = node_member(root, "size");
	struct node width = node_member(&size, "width");
	struct node height = node_member(&size, "height");
	struct node focal_point = node_member(root, "focalPoint");
	struct node zones = node_member(root, "zones");
	plan->name = read_name(reader, root, "name", LIMIT_NAME_SIZE_MAX);
	plan_check_object(reader, &size, REQUIRED);
	plan->width = plan_real(reader, &width, REQUIRED, 1, SEATING_COORDINATE_MAX, 0);
	plan->height = plan_real(reader, &height, REQUIRED, 1, SEATING_COORDINATE_MAX, 0);
	plan->has_focal_point = focal_point.value != NULL;
	plan->focal_point =
		plan_position(reader, &focal_point, OPTIONAL, (struct seating_point){0, 0});
	read_categories(builder, root);
	for (uint32_t i = 0; i < plan->zone_count && plan_reads_on(reader); i++) {
		struct node zone = node_element(&zones, i);
		read_zone(builder, &zone, i);
	}
}

/* Where a seat stands in its zone and row. */
struct seat_place {
	uint32_t zone, row, seat;
};

static struct seat_place place_of(const struct builder *builder, uint32_t seat_index)
{
	const struct seating_seat *seat = &builder->seats[seat_index];
	return (struct seat_place){
		.zone = seat->zone_index,
		.row = seat->row_index - builder->zones[seat->zone_index].first_row,
		.seat = seat_index - builder->rows[seat->row_index].first_seat,
	};
}

static void refuse_repeated_guid(struct builder *builder, const struct node *root,
	struct seat_place earlier, struct seat_place later)
{
	struct node zones = node_member(root, "zones");
	struct node zone = node_element(&zones, later.zone);
	struct node rows = node_member(&zone, "rows");
	struct node row = node_element(&rows, later.row);
	struct node seats = node_member(&row, "seats");
	struct node seat = node_element(&seats, later.seat);
	struct node guid = node_member(&seat, "seat_guid");
	plan_refuse(&builder->reader, &guid, "is also the guid of $.zones[%u].rows[%u].seats[%u]",
		earlier.zone, earlier.row, earlier.seat);
}

static void refuse_repeated_guids(struct builder *builder, const struct node *root)
{
	uint32_t count = builder->plan.seat_count;
	if (!plan_reads_on(&builder->reader))
		return;
	assert(builder->seats_read == count);
	struct name_entry *guids = plan_room(&builder->reader, count, sizeof *guids);
	if (!guids)
		return;
	for (uint32_t i = 0; i < count; i++)
		guids[i] = (struct name_entry){.name = builder->seats[i].guid, .index = i};
	name_index_sort(guids, count);
	uint32_t earlier, later;
	if (name_index_repeated(guids, count, &earlier, &later))
		refuse_repeated_guid(
			builder, root, place_of(builder, earlier), place_of(builder, later));
}
