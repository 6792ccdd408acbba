/* Colors, positions and shapes. */
#include "lib/ticketing/seating_area.h"

enum { COLOR_TEXT_SIZE_MAX = 32, TEXT_SIZE_DEFAULT = 16, ROTATION_MAX = 36000 };

/* The basic colors of CSS 2.1 (section 4.3.6), for plans written by hand. */
static const struct {
	const char *name;
	struct seating_color color;
} named_colors[] = {
	{"transparent", {0, 0, 0, 0}},
	{"black", {0, 0, 0, 255}},
	{"silver", {192, 192, 192, 255}},
	{"gray", {128, 128, 128, 255}},
	{"white", {255, 255, 255, 255}},
	{"maroon", {128, 0, 0, 255}},
	{"red", {255, 0, 0, 255}},
	{"purple", {128, 0, 128, 255}},
	{"fuchsia", {255, 0, 255, 255}},
	{"green", {0, 128, 0, 255}},
	{"lime", {0, 255, 0, 255}},
	{"olive", {128, 128, 0, 255}},
	{"yellow", {255, 255, 0, 255}},
	{"navy", {0, 0, 128, 255}},
	{"blue", {0, 0, 255, 255}},
	{"teal", {0, 128, 128, 255}},
	{"aqua", {0, 255, 255, 255}},
	{"orange", {255, 165, 0, 255}},
};

static const struct {
	const char *name;
	enum seating_shape shape;
} named_shapes[] = {
	{"text", SEATING_TEXT_ONLY},
	{"rectangle", SEATING_RECTANGLE},
	{"circle", SEATING_CIRCLE},
	{"ellipse", SEATING_ELLIPSE},
	{"polygon", SEATING_POLYGON},
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* #rgb, #rgba, #rrggbb or #rrggbbaa. */
static bool parse_hex(struct slice text, struct seating_color *color)
{
	size_t digits = text.size - 1;
	size_t per_channel = digits <= 4 ? 1 : 2;
	uint8_t channels[4] = {0, 0, 0, 255};
	if (text.data[0] != '#' || (digits != 3 && digits != 4 && digits != 6 && digits != 8))
		return false;
	for (size_t i = 0; i < digits; i += per_channel) {
		int high = hex_digit(text.data[1 + i]);
		int low = hex_digit(text.data[i + per_channel]);
		if (high < 0 || low < 0)
			return false;
		channels[i / per_channel] = (uint8_t)(high * 16 + low);
	}
	*color = (struct seating_color){channels[0], channels[1], channels[2], channels[3]};
	return true;
}

static bool parse_color(struct slice text, struct seating_color *color)
{
	if (text.size == 0 || parse_hex(text, color))
		return true;
	for (size_t i = 0; i < sizeof named_colors / sizeof *named_colors; i++) {
		if (slice_is(text, named_colors[i].name)) {
			*color = named_colors[i].color;
			return true;
		}
	}
	return false;
}

struct seating_color plan_color(struct plan_reader *reader, const struct node *node)
{
	struct seating_color color = {0};
	if (node->value && !json_is_string(node->value)) {
		plan_refuse(reader, node, "must be a string");
	} else if (node->value) {
		struct slice text = {.data = json_string_value(node->value),
			.size = json_string_length(node->value)};
		if (text.size > COLOR_TEXT_SIZE_MAX || !parse_color(text, &color))
			plan_refuse(reader, node, "must be a color such as #1a2b3c");
	}
	return color;
}

/* The two numbers of an {x, y} or {width, height} object. */
static struct seating_point read_pair(struct plan_reader *reader, const struct node *node,
	const char *x_key, const char *y_key, double min)
{
	plan_check_object(reader, node, REQUIRED);
	struct node x = node_member(node, x_key);
	struct node y = node_member(node, y_key);
	return (struct seating_point){
		.x = plan_real(reader, &x, REQUIRED, min, SEATING_COORDINATE_MAX, 0),
		.y = plan_real(reader, &y, REQUIRED, min, SEATING_COORDINATE_MAX, 0),
	};
}

struct seating_point plan_position(struct plan_reader *reader, const struct node *node,
	enum presence presence, struct seating_point origin)
{
	if (!node->value && presence == OPTIONAL)
		return origin;
	struct seating_point point = read_pair(reader, node, "x", "y", -SEATING_COORDINATE_MAX);
	return (struct seating_point){.x = origin.x + point.x, .y = origin.y + point.y};
}

static enum seating_shape read_shape(struct plan_reader *reader, const struct node *area)
{
	struct node node = node_member(area, "shape");
	if (!node.value) {
		struct node width = node_member(area, "width");
		return width.value ? SEATING_RECTANGLE : SEATING_TEXT_ONLY;
	}
	const char *name = json_string_value(node.value);
	for (size_t i = 0; name && i < sizeof named_shapes / sizeof *named_shapes; i++) {
		if (strcmp(name, named_shapes[i].name) == 0)
			return named_shapes[i].shape;
	}
	plan_refuse(reader, &node, "must be polygon, rectangle, ellipse, circle or text");
	return SEATING_TEXT_ONLY;
}

/* In the schema's first version width and height stand in the area itself. */
static void read_rectangle(
	struct plan_reader *reader, const struct node *node, struct seating_area *area)
{
	struct node rectangle = node_member(node, "rectangle");
	struct node shape = node_member(node, "shape");
	const struct node *owner = shape.value ? &rectangle : node;
	area->size = read_pair(reader, owner, "width", "height", 0);
}

static void read_circle(
	struct plan_reader *reader, const struct node *node, struct seating_area *area)
{
	struct node circle = node_member(node, "circle");
	struct node radius = node_member(&circle, "radius");
	plan_check_object(reader, &circle, REQUIRED);
	area->radius = plan_real(reader, &radius, REQUIRED, 0, SEATING_COORDINATE_MAX, 0);
}

static void read_ellipse(
	struct plan_reader *reader, const struct node *node, struct seating_area *area)
{
	struct node ellipse = node_member(node, "ellipse");
	struct node radius = node_member(&ellipse, "radius");
	plan_check_object(reader, &ellipse, REQUIRED);
	area->radii = read_pair(reader, &radius, "x", "y", 0);
}

static void read_polygon(struct plan_reader *reader, const struct node *node,
	struct seating_area *area, size_t *points_left)
{
	struct node polygon = node_member(node, "polygon");
	struct node nodes = node_member(&polygon, "points");
	plan_check_object(reader, &polygon, REQUIRED);
	size_t count = plan_count(reader, &nodes, REQUIRED, *points_left);
	*points_left -= count;
	struct seating_point *points = plan_room(reader, count, sizeof *points);
	for (size_t i = 0; i < count && plan_reads_on(reader); i++) {
		struct node point = node_element(&nodes, i);
		points[i] = plan_position(reader, &point, REQUIRED, area->position);
	}
	area->polygon.points = points;
	area->polygon.count = (uint32_t)count;
}

/* In the schema's first version the text is a plain string. */
static void read_text(
	struct plan_reader *reader, const struct node *node, struct seating_area *area)
{
	struct node text = node_member(node, "text");
	struct node words = node_member(&text, "text");
	struct node color = node_member(&text, "color");
	struct node size = node_member(&text, "size");
	struct node position = node_member(&text, "position");
	bool plain = json_is_string(text.value);
	if (!plain)
		plan_check_object(reader, &text, OPTIONAL);
	area->text.text = plan_text(reader, plain ? &text : &words, OPTIONAL, LIMIT_NAME_SIZE_MAX);
	area->text.color = plan_color(reader, &color);
	area->text.size =
		plan_real(reader, &size, OPTIONAL, 0, SEATING_COORDINATE_MAX, TEXT_SIZE_DEFAULT);
	area->text.position = plan_position(reader, &position, OPTIONAL, area->position);
}

struct seating_area plan_area(struct plan_reader *reader, const struct node *node,
	struct seating_point origin, size_t *points_left)
{
	plan_check_object(reader, node, REQUIRED);
	struct node position = node_member(node, "position");
	struct node color = node_member(node, "color");
	struct node border_color = node_member(node, "border_color");
	struct node rotation = node_member(node, "rotation");
	struct seating_area area = {
		.shape = read_shape(reader, node),
		.position = plan_position(reader, &position, OPTIONAL, origin),
		.color = plan_color(reader, &color),
		.border_color = plan_color(reader, &border_color),
		.rotation = plan_real(reader, &rotation, OPTIONAL, -ROTATION_MAX, ROTATION_MAX, 0),
	};
	read_text(reader, node, &area);
	if (area.shape == SEATING_RECTANGLE)
		read_rectangle(reader, node, &area);
	else if (area.shape == SEATING_CIRCLE)
		read_circle(reader, node, &area);
	else if (area.shape == SEATING_ELLIPSE)
		read_ellipse(reader, node, &area);
	else if (area.shape == SEATING_POLYGON)
		read_polygon(reader, node, &area, points_left);
	return area;
}
