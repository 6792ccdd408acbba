/* What the best seats are near to. */
#include "lib/ticketing/seating_plan.h"

#include <math.h>

/* In small letters. More languages are a line each; a plan in another one gives its focalPoint. */
static const char *const stage_words[] = {
	"stage", "podium", "scene", "sc\xc3\xa8ne", "b\xc3\xbchne"};

/* The byte as it is in a small letter: of ASCII, and of the Latin letters that UTF-8 writes as C3
 * and a byte from 80 to 9E (the multiplication sign among them has no small form). */
static unsigned char small(struct slice text, size_t i)
{
	unsigned char byte = (unsigned char)text.data[i];
	bool latin = i > 0 && (unsigned char)text.data[i - 1] == 0xc3;
	if (byte >= 'A' && byte <= 'Z')
		return (unsigned char)(byte + ('a' - 'A'));
	if (latin && byte >= 0x80 && byte <= 0x9e && byte != 0x97)
		return (unsigned char)(byte + 0x20);
	return byte;
}

/* A letter of any language: bytes of UTF-8 outside of ASCII count as such. */
static bool is_letter(struct slice text, size_t i)
{
	unsigned char byte = small(text, i);
	return (byte >= 'a' && byte <= 'z') || byte >= 0x80;
}

static bool ends_with_word(struct slice text, struct slice word)
{
	if (text.size < word.size)
		return false;
	size_t start = text.size - word.size;
	for (size_t i = 0; i < word.size; i++)
		if (small(text, start + i) != (unsigned char)word.data[i])
			return false;
	return start == 0 || !is_letter(text, start - 1);
}

static bool names_stage(struct slice text)
{
	struct slice trimmed = slice_trim(text);
	for (size_t i = 0; i < sizeof stage_words / sizeof *stage_words; i++)
		if (ends_with_word(trimmed, slice_of(stage_words[i])))
			return true;
	return false;
}

static struct seating_point middle_of_polygon(const struct seating_area *area)
{
	if (area->polygon.count == 0)
		return area->position;
	struct seating_point low = area->polygon.points[0], high = low;
	for (uint32_t i = 1; i < area->polygon.count; i++) {
		struct seating_point point = area->polygon.points[i];
		low = (struct seating_point){fmin(low.x, point.x), fmin(low.y, point.y)};
		high = (struct seating_point){fmax(high.x, point.x), fmax(high.y, point.y)};
	}
	return (struct seating_point){(low.x + high.x) / 2, (low.y + high.y) / 2};
}

/* Before the area is turned. */
static struct seating_point middle_unturned(const struct seating_area *area)
{
	switch (area->shape) {
	case SEATING_RECTANGLE:
		return (struct seating_point){
			area->position.x + area->size.x / 2, area->position.y + area->size.y / 2};
	case SEATING_POLYGON:
		return middle_of_polygon(area);
	case SEATING_TEXT_ONLY:
		return area->text.position;
	case SEATING_CIRCLE:
	case SEATING_ELLIPSE:
		break;
	}
	return area->position;
}

static struct seating_point middle_of(const struct seating_area *area)
{
	static const double radians_per_degree = 3.14159265358979323846 / 180;
	struct seating_point origin = area->position, middle = middle_unturned(area);
	double angle = area->rotation * radians_per_degree;
	double x = middle.x - origin.x, y = middle.y - origin.y;
	/* Without this, a plan that turns nothing would have its middle rounded. */
	if (angle == 0)
		return middle;
	return (struct seating_point){
		.x = origin.x + x * cos(angle) - y * sin(angle),
		.y = origin.y + x * sin(angle) + y * cos(angle),
	};
}

struct seating_point seating_plan_focal_point(const struct seating_plan *plan)
{
	if (plan->has_focal_point)
		return plan->focal_point;
	for (uint32_t i = 0; i < plan->area_count; i++)
		if (names_stage(plan->areas[i].text.text))
			return middle_of(&plan->areas[i]);
	return (struct seating_point){.x = plan->width / 2, .y = 0};
}

struct seating_point seating_zone_focal_point(
	const struct seating_plan *plan, const struct seating_zone *zone)
{
	return zone->has_focal_point ? zone->focal_point : seating_plan_focal_point(plan);
}
